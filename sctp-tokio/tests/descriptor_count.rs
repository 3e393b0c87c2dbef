//! No descriptor is leaked, and none is inherited. Descriptors are the process's, so this test
//! has a binary to itself and counts exactly.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{collections::BTreeSet, fs, time::Duration};

use sctp_tokio::{
    AbortReason, Association, Endpoint, SctpListener, SocketBuilder, options::InitMsg,
};
use support::{LOOPBACK, acknowledged, endpoint_message, eventually, must, until_end};

fn descriptors() -> BTreeSet<String> {
    let names = fs::read_dir("/proc/self/fd").unwrap();
    // The one that reads the folder is gone when its link is read.
    names
        .map(|entry| entry.unwrap())
        .filter(|entry| fs::read_link(entry.path()).is_ok())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

/// Every way to make a socket, and every way to lose one.
async fn round(listener: &mut SctpListener) {
    let addr = listener.local_addrs().unwrap()[0];
    // Ended in order, by an abort, by neither.
    let mut client = Association::connect(addr).await.unwrap();
    let mut server = must(listener.accept()).await.unwrap();
    client.send("x").await.unwrap();
    client.shutdown().await.unwrap();
    until_end(&mut server).await;
    let mut client = Association::connect(addr).await.unwrap();
    let server = must(listener.accept()).await.unwrap();
    server.abort(&AbortReason::from_static("x")).unwrap();
    until_end(&mut client).await;
    let client = Association::connect(addr).await.unwrap();
    let server = must(listener.accept()).await.unwrap();
    drop((server, client.split()));
    // Ended before it was accepted.
    let mut client = Association::connect(addr).await.unwrap();
    client.send("x").await.unwrap();
    client.shutdown().await.unwrap();
    until_end(&mut must(listener.accept()).await.unwrap()).await;
    // Refused, unreachable, given up, badly asked for.
    let quick = SocketBuilder::new()
        .with_init(InitMsg::new().with_max_attempts(1))
        .with_connect_timeout(Duration::from_millis(50));
    let nobody = ["127.0.0.1:1".parse().unwrap()];
    assert!(quick.connect(&nobody).await.is_err());
    assert!(
        quick
            .connect(&["192.0.2.1:9".parse().unwrap()])
            .await
            .is_err()
    );
    assert!(SocketBuilder::new().connect(&[]).await.is_err());
    let taken = SocketBuilder::new().with_local_addrs([addr]);
    assert!(taken.listen().is_err() && taken.endpoint().is_err());
    // No source address of that family: nobody will answer.
    let deaf = quick.with_local_addrs([LOOPBACK.parse().unwrap()]);
    assert!(deaf.connect(&["[::1]:9".parse().unwrap()]).await.is_err());
    // Dropped while it connects.
    {
        let builder = SocketBuilder::new();
        let peer = [addr];
        let connect = std::pin::pin!(builder.connect(&peer));
        let _ = futures::poll!(connect);
    }
    let mut last = Association::connect(addr).await.unwrap();
    last.send("last").await.unwrap();
    loop {
        let mut server = must(listener.accept()).await.unwrap();
        if let Ok(Some(message)) = must(server.recv()).await
            && message.payload == "last"
        {
            break;
        }
    }
    until_end(&mut last).await;
    // Peeled off.
    let mut endpoint = Endpoint::bind(LOOPBACK).await.unwrap();
    let addr = endpoint.local_addrs().unwrap()[0];
    let client = Association::connect(addr).await.unwrap();
    client.send("x").await.unwrap();
    acknowledged(&client).await;
    let (id, _) = endpoint_message(&mut endpoint).await;
    let own = endpoint.peel_off(id).unwrap();
    assert!(endpoint.peel_off(id).is_err());
    drop((endpoint.sender(), endpoint, own));
}

#[tokio::test]
async fn descriptors_are_neither_leaked_nor_inherited() {
    let mut listener = SctpListener::bind(LOOPBACK).await.unwrap();
    round(&mut listener).await;
    let before = descriptors();
    for _ in 0..10 {
        round(&mut listener).await;
    }
    eventually(|| descriptors() == before).await;

    let addr = listener.local_addrs().unwrap()[0];
    let client = Association::connect(addr).await.unwrap();
    let server = must(listener.accept()).await.unwrap();
    for socket in [client.socket(), server.socket(), Some(listener.socket())] {
        let flags = rustix::io::fcntl_getfd(socket.unwrap()).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
}
