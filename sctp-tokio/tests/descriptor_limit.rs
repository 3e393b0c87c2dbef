//! A process without descriptors to spare. The limit is the process's, so these tests have a
//! binary to themselves and run one after the other.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{fs::File, io, sync::Mutex};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sctp_tokio::{Association, ConnectError, SocketBuilder, sctp_core::errno::EMFILE};
use support::{acknowledged, endpoint, endpoint_message, listener, must, next};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Takes all descriptors but a few, until dropped.
struct Scarce {
    limit: Rlimit,
    _taken: Vec<File>,
}

impl Scarce {
    fn but(spare: usize) -> Self {
        let limit = getrlimit(Resource::Nofile);
        let few = Rlimit {
            current: Some(64),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, few).unwrap();
        let mut taken = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            taken.push(file);
        }
        taken.truncate(taken.len() - spare);
        Self {
            limit,
            _taken: taken,
        }
    }
}

impl Drop for Scarce {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.limit).unwrap();
    }
}

fn alone<T>(test: impl Future<Output = T>) -> T {
    let _guard = ONE_AT_A_TIME.lock().unwrap();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test)
}

#[test]
fn accept_without_descriptors_loses_nothing() {
    alone(async {
        let (mut listener, addr) = listener().await;
        let mut clients = Vec::new();
        for at in 0..3u8 {
            let client = Association::connect(addr).await.unwrap();
            client.send(vec![at; 10]).await.unwrap();
            acknowledged(&client).await;
            clients.push(client);
        }
        for spare in [0, 1, 3] {
            let scarce = Scarce::but(spare);
            for _ in 0..3 {
                let error = must(listener.accept()).await.unwrap_err();
                assert_eq!(error.raw_os_error(), Some(EMFILE), "{spare}");
                assert_eq!(
                    listener.try_accept().unwrap_err().raw_os_error(),
                    Some(EMFILE)
                );
            }
            drop(scarce);
        }
        for (at, client) in clients.iter_mut().enumerate() {
            let mut server = must(listener.accept()).await.unwrap();
            let request = next(&mut server).await;
            assert_eq!(usize::from(request.payload[0]), at);
            server.send("served").await.unwrap();
            assert_eq!(next(client).await.payload, "served");
        }
    });
}

#[test]
fn peel_off_without_descriptors_moves_nothing() {
    alone(async {
        let (mut endpoint, addr) = endpoint().await;
        let mut client = Association::connect(addr).await.unwrap();
        client.send("one").await.unwrap();
        client.send("two").await.unwrap();
        acknowledged(&client).await;
        let (id, _) = endpoint_message(&mut endpoint).await;
        for spare in 0..4 {
            let scarce = Scarce::but(spare);
            let error = endpoint.peel_off(id).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(EMFILE));
            drop(scarce);
        }
        assert_eq!(endpoint_message(&mut endpoint).await.1.payload, "two");
        endpoint.send(id, "still here").await.unwrap();
        assert_eq!(next(&mut client).await.payload, "still here");
        let own = {
            let _scarce = Scarce::but(4);
            endpoint.peel_off(id).unwrap()
        };
        own.send("and now there").await.unwrap();
        assert_eq!(next(&mut client).await.payload, "and now there");
    });
}

#[test]
fn connect_without_descriptors_fails() {
    alone(async {
        let (mut listener, addr) = listener().await;
        let error = {
            let _scarce = Scarce::but(0);
            SocketBuilder::new().connect(&[addr]).await.unwrap_err()
        };
        assert!(
            matches!(&error, ConnectError::Io(error) if error.raw_os_error() == Some(EMFILE)),
            "{error}"
        );
        assert_eq!(
            listener.try_accept().unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        Association::connect(addr).await.unwrap();
        must(listener.accept()).await.unwrap();
    });
}
