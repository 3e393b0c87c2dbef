//! Signals: none is raised here, and any may interrupt.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rustix::process::{Signal, getpid, kill_process};
use sctp_tokio::{AbortReason, Association, SendError};
use support::{endpoint, endpoint_end, endpoint_message, must, next, pair, until_end};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::test]
async fn send_on_closed_association_raises_no_signal() {
    let mut raised = signal(SignalKind::pipe()).unwrap();
    let (client, mut server) = pair().await;
    let (mut endpoint, addr) = endpoint().await;
    let other = Association::connect(addr).await.unwrap();
    other.send("hello").await.unwrap();
    let (id, _) = endpoint_message(&mut endpoint).await;
    client.abort(&AbortReason::default()).unwrap();
    other.abort(&AbortReason::default()).unwrap();
    until_end(&mut server).await;
    endpoint_end(&mut endpoint).await;
    for sender in [client.sender(), server.sender(), other.sender()] {
        let error = sender.send("x").await.unwrap_err();
        assert!(matches!(error, SendError::Closed(_)), "{error}");
        let mut queue = (0..4).map(|_| "x".into()).collect();
        assert!(sender.send_queue(&mut queue).await.is_err());
    }
    let info = sctp_tokio::SendInfo::default();
    let payload = [std::io::IoSlice::new(b"x")];
    let error = endpoint.socket().send_msg(id, &info, &payload).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    // A signal that comes after any that the sends have raised.
    let mut after = signal(SignalKind::user_defined2()).unwrap();
    kill_process(getpid(), Signal::USR2).unwrap();
    must(after.recv()).await.unwrap();
    assert!(futures::poll!(std::pin::pin!(raised.recv())).is_pending());
}

#[tokio::test]
async fn signals_interrupt_no_operation() {
    let mut caught = signal(SignalKind::user_defined1()).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let storm = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            while !stop.load(Ordering::Relaxed) {
                kill_process(getpid(), Signal::USR1).unwrap();
                std::thread::yield_now();
            }
        }
    });
    for _ in 0..10 {
        let (mut client, mut server) = must(pair()).await;
        for at in 0..50u8 {
            client.send(vec![at; 5000]).await.unwrap();
            let request = next(&mut server).await;
            server
                .send(request.reply(request.payload.clone()))
                .await
                .unwrap();
            assert_eq!(next(&mut client).await.payload, vec![at; 5000]);
        }
        must(client.shutdown()).await.unwrap();
        assert!(until_end(&mut server).await.1.is_orderly());
    }
    stop.store(true, Ordering::Relaxed);
    storm.join().unwrap();
    must(caught.recv()).await.unwrap();
}
