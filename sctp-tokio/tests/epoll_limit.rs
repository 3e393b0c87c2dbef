//! A user without epoll watches to spare. The limit is the system's, so these tests have a binary
//! to themselves and run one after the other.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{
    fs, io,
    net::{SocketAddr, UdpSocket},
    os::fd::OwnedFd,
    sync::{Mutex, PoisonError},
};

use sctp_tokio::{AbortReason, Association, OneToOneListener, SctpListener};
use support::{acknowledged, endpoint, endpoint_message, listener, must, next, until_end};

const MAX_USER_WATCHES: &str = "/proc/sys/fs/epoll/max_user_watches";

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Leaves a number of watches to the user, until dropped.
struct Scarce {
    limit: String,
}

impl Scarce {
    fn but(spare: usize) -> Self {
        let limit = fs::read_to_string(MAX_USER_WATCHES).unwrap();
        let scarce = Self { limit };
        let used = (0..).find(|used| {
            set_limit(used + 1);
            let probe = UdpSocket::bind(support::LOOPBACK).unwrap();
            probe.set_nonblocking(true).unwrap();
            tokio::net::UdpSocket::from_std(probe).is_ok()
        });
        set_limit(used.unwrap() + spare);
        scarce
    }
}

impl Drop for Scarce {
    fn drop(&mut self) {
        fs::write(MAX_USER_WATCHES, self.limit.trim()).unwrap();
    }
}

fn set_limit(watches: usize) {
    fs::write(MAX_USER_WATCHES, watches.to_string()).unwrap();
}

fn alone<T>(test: impl Future<Output = T>) -> T {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test)
}

fn assert_no_watches<T>(result: io::Result<T>) {
    let error = result.err().expect("an error of the reactor");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}");
}

/// Connects, and has one byte in the server's kernel.
async fn client(addr: SocketAddr, request: u8) -> Association {
    let client = must(Association::connect(addr)).await.unwrap();
    client.send(vec![request]).await.unwrap();
    acknowledged(&client).await;
    client
}

async fn serve(server: &mut Association, client: &mut Association, request: u8) {
    assert_eq!(next(server).await.payload, [request][..]);
    server.send("served").await.unwrap();
    assert_eq!(next(client).await.payload, "served");
}

#[test]
fn listener_without_watches_keeps_associations() {
    alone(async {
        let (mut listener, addr) = listener().await;
        let mut clients = [client(addr, 0).await, client(addr, 1).await];
        {
            let _scarce = Scarce::but(0);
            for _ in 0..3 {
                assert_no_watches(must(listener.accept()).await);
                assert_no_watches(listener.try_accept());
            }
        }
        for (request, client) in (0..).zip(&mut clients) {
            let mut server = must(listener.accept()).await.unwrap();
            serve(&mut server, client, request).await;
        }
    });
}

#[test]
fn listener_with_unregistered_association_keeps_socket() {
    alone(async {
        let (mut listener, addr) = listener().await;
        let mut client = client(addr, 7).await;
        {
            let _scarce = Scarce::but(0);
            assert_no_watches(must(listener.accept()).await);
        }
        let mut listener: Box<SctpListener> = listener.into_socket().unwrap_err();
        let mut server = listener.try_accept().unwrap();
        serve(&mut server, &mut client, 7).await;
        listener.into_socket().unwrap();
    });
}

#[test]
fn one_to_one_listener_without_watches_keeps_association() {
    alone(async {
        let listener = OneToOneListener::bind(support::LOOPBACK).await.unwrap();
        let addr = listener.local_addrs().unwrap()[0];
        let fd = OwnedFd::from(listener.into_socket().unwrap());
        let mut listener = OneToOneListener::try_from(fd).unwrap();
        let mut clients = [client(addr, 0).await, client(addr, 1).await];
        {
            let _scarce = Scarce::but(0);
            for _ in 0..3 {
                assert_no_watches(must(listener.accept()).await);
                assert_no_watches(listener.try_accept());
            }
        }
        let mut listener: Box<OneToOneListener> = listener.into_socket().unwrap_err();
        for (request, client) in (0..).zip(&mut clients) {
            let mut server = must(listener.accept()).await.unwrap();
            serve(&mut server, client, request).await;
        }
        listener.into_socket().unwrap();
    });
}

#[test]
fn connect_needs_a_single_watch() {
    alone(async {
        let (mut listener, addr) = listener().await;
        let mut client = {
            let _scarce = Scarce::but(1);
            must(Association::connect(addr)).await.unwrap()
        };
        client.send(vec![3]).await.unwrap();
        let mut server = must(listener.accept()).await.unwrap();
        serve(&mut server, &mut client, 3).await;
    });
}

#[test]
fn peel_off_without_watches_keeps_association() {
    alone(async {
        let (mut endpoint, addr) = endpoint().await;
        let mut client = client(addr, 1).await;
        client.send(vec![2]).await.unwrap();
        acknowledged(&client).await;
        let (id, _) = endpoint_message(&mut endpoint).await;
        {
            let _scarce = Scarce::but(0);
            assert_no_watches(endpoint.peel_off(id));
            assert_no_watches(endpoint.peel_off(id));
        }
        let mut endpoint = endpoint.into_socket().unwrap_err();
        let mut server = endpoint.peel_off(id).unwrap();
        serve(&mut server, &mut client, 2).await;
        endpoint.into_socket().unwrap();
    });
}

#[test]
fn abort_after_failed_peel_off_reaches_peer() {
    alone(async {
        let (mut endpoint, addr) = endpoint().await;
        let mut client = client(addr, 1).await;
        let (id, _) = endpoint_message(&mut endpoint).await;
        {
            let _scarce = Scarce::but(0);
            assert_no_watches(endpoint.peel_off(id));
        }
        let reason = AbortReason::from_static("no room");
        endpoint.sender().abort(id, &reason).unwrap();
        let (_, end) = until_end(&mut client).await;
        assert_eq!(end.reason().unwrap(), "no room");
        endpoint.into_socket().unwrap();
    });
}
