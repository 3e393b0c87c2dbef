//! Memory of a server on the kernel: what an idle association keeps, and that long
//! messages are not copied.
//!
//! The clients are plain sockets in a thread of their own, so that what is allocated is the
//! server's. Tests take turns, since they count what the process allocates.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

use std::{
    alloc::System,
    future::IntoFuture,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr},
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use sctp_service::{Payload, serve};
use sctp_tokio::SocketBuilder;
use socket2::{Domain, Protocol, Socket, Type};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::sync::oneshot;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

static TURN: Mutex<()> = Mutex::new(());

async fn echo(payload: Payload) -> Payload {
    payload
}

/// Serves while the clients run in a thread, and returns what they do.
fn with_server<T: Send + 'static>(clients: fn(SocketAddr) -> T) -> T {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let builder = SocketBuilder::new().with_local_addrs([(Ipv4Addr::LOCALHOST, 0).into()]);
        let listener = builder.listen().unwrap();
        let addr = listener.local_addrs().unwrap()[0];
        tokio::spawn(serve(listener, echo).into_future());
        let (done, result) = oneshot::channel();
        thread::spawn(move || done.send(clients(addr)));
        // An error means that the thread panicked: then it has said why.
        result.await.unwrap()
    })
}

/// A one-to-one socket that waits, but not for ever.
fn connect(addr: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::from(132))).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    socket.connect(&addr.into()).unwrap();
    socket
}

fn exchange(mut socket: &Socket, message: &[u8], buffer: &mut [u8]) {
    socket.write_all(message).unwrap();
    socket.read_exact(&mut buffer[..message.len()]).unwrap();
    assert!(&buffer[..message.len()] == message);
}

/// Many requests at once, so that queues have grown that are not to be kept.
fn burst(mut socket: &Socket, buffer: &mut [u8; 64]) {
    for _ in 0..100 {
        socket.write_all(&[1; 64]).unwrap();
    }
    for _ in 0..100 {
        socket.read_exact(buffer).unwrap();
    }
    exchange(socket, &[1; 64], buffer);
}

/// Bytes that are allocated now, and that were allocated in all.
fn bytes() -> (usize, usize) {
    let stats = ALLOCATOR.stats();
    let all = stats.bytes_allocated;
    (all - stats.bytes_deallocated, all)
}

#[test]
fn idle_association_keeps_less_than_three_kibibytes() {
    const COUNT: usize = 200;
    let each = with_server(|addr| {
        let mut sockets = Vec::with_capacity(COUNT);
        let mut buffer = [0; 64];
        // What is set up once, such as the receive buffer, is there before it is counted.
        let first = connect(addr);
        burst(&first, &mut buffer);
        let (before, _) = bytes();
        for _ in 0..COUNT {
            let socket = connect(addr);
            burst(&socket, &mut buffer);
            sockets.push(socket);
        }
        let (after, _) = bytes();
        after.saturating_sub(before) / COUNT
    });
    println!("{each} bytes for each association");
    // It keeps something, or nothing was counted.
    assert!((500..2764).contains(&each), "{each} bytes");
}

#[test]
fn message_of_64_kibibytes_is_not_copied() {
    const COUNT: usize = 100;
    const LEN: usize = 64 * 1024;
    let each = with_server(|addr| {
        let message = vec![7; LEN];
        let mut buffer = vec![0; LEN];
        let socket = connect(addr);
        for _ in 0..20 {
            exchange(&socket, &message, &mut buffer);
        }
        let (_, before) = bytes();
        for _ in 0..COUNT {
            exchange(&socket, &message, &mut buffer);
        }
        let (_, after) = bytes();
        (after - before) / COUNT
    });
    println!("{each} bytes allocated for each message");
    // A copy needs a place, and that is 64 KiB. What there is, is the future of the handler.
    assert!(each < 1024, "{each} bytes allocated for each message");
}
