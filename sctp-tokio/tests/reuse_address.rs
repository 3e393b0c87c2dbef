//! Binding a port that associations of an earlier socket still use.
#![cfg(target_os = "linux")] // needs SCTP in the kernel
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

mod support;

use std::{io, net::SocketAddr};

use sctp_tokio::{Association, Endpoint, OneToOneListener, SctpListener, SocketBuilder};
use support::{
    must,
    netns::{NetNs, two_cables},
};

const STYLES: [Style; 3] = [Style::Listener, Style::Endpoint, Style::OneToOne];

#[derive(Clone, Copy, Debug)]
enum Style {
    Listener,
    Endpoint,
    OneToOne,
}

/// A socket that listens, in one of the three styles.
#[derive(Debug)]
enum Listening {
    Listener(SctpListener),
    Endpoint(Endpoint),
    OneToOne(OneToOneListener),
}

impl Style {
    fn listen(self, builder: &SocketBuilder) -> io::Result<Listening> {
        Ok(match self {
            Self::Listener => Listening::Listener(builder.listen()?),
            Self::Endpoint => Listening::Endpoint(builder.endpoint()?),
            Self::OneToOne => Listening::OneToOne(builder.listen_one_to_one()?),
        })
    }
}

impl Listening {
    fn addr(&self) -> SocketAddr {
        let addrs = match self {
            Self::Listener(listener) => listener.local_addrs(),
            Self::Endpoint(endpoint) => endpoint.local_addrs(),
            Self::OneToOne(listener) => listener.local_addrs(),
        };
        addrs.unwrap()[0]
    }

    /// Takes the next association; an endpoint keeps it.
    async fn accept(&mut self) -> Option<Association> {
        match self {
            Self::Listener(listener) => Some(must(listener.accept()).await.unwrap()),
            Self::Endpoint(endpoint) => {
                must(endpoint.next_event()).await.unwrap();
                None
            }
            Self::OneToOne(listener) => Some(must(listener.accept()).await.unwrap()),
        }
    }
}

fn bound(addr: impl ToString) -> SocketBuilder {
    SocketBuilder::new().with_local_addrs([addr.to_string().parse().unwrap()])
}

/// A server that is gone, and whose peer cannot be reached to end the association. Returns where it
/// listened.
async fn unanswered(style: Style, left: &NetNs) -> SocketAddr {
    let mut first = style.listen(&bound("10.1.0.2:0")).unwrap();
    let addr = first.addr();
    let client = left.start(move || async move { Association::connect(addr).await.unwrap() });
    let accepted = first.accept().await;
    let client = client.await;
    left.ip("link set one down");
    drop((first, accepted, client));
    addr
}

#[tokio::test]
async fn restarted_server_listens_beside_an_unanswered_shutdown() {
    let (left, right) = two_cables();
    let restart = right.start(move || async move {
        for style in STYLES {
            left.ip("link set one up");
            let addr = unanswered(style, &left).await;
            let again = style.listen(&bound(addr));
            assert!(again.is_ok(), "{style:?}: {again:?}");
        }
    });
    restart.await;
}

#[tokio::test]
async fn listener_rebinds_while_its_associations_live() {
    for style in [Style::Listener, Style::OneToOne] {
        let mut first = style.listen(&bound("127.0.0.1:0")).unwrap();
        let addr = first.addr();
        let client = must(Association::connect(addr)).await.unwrap();
        let server = first.accept().await.unwrap();
        drop(first);
        let mut again = style.listen(&bound(addr)).unwrap();
        let (_second, accepted) = tokio::join!(Association::connect(addr), again.accept());
        accepted.unwrap();
        server.send("still here").await.unwrap();
        drop((client, server));
    }
}

#[tokio::test]
async fn second_live_listener_is_refused() {
    for first in STYLES {
        let live = first.listen(&bound("127.0.0.1:0")).unwrap();
        for second in STYLES {
            let error = second.listen(&bound(live.addr())).unwrap_err();
            assert_eq!(
                error.kind(),
                io::ErrorKind::AddrInUse,
                "{first:?} {second:?}"
            );
            let text = error.to_string();
            assert!(text.contains(&live.addr().to_string()), "{text}");
        }
    }
}

#[tokio::test]
async fn port_in_use_is_refused_without_reuse_address() {
    let mut first = bound("127.0.0.1:0").listen().unwrap();
    let addr = first.local_addrs().unwrap()[0];
    let _client = must(Association::connect(addr)).await.unwrap();
    let _server = must(first.accept()).await.unwrap();
    drop(first);
    let error = bound(addr).with_reuse_address(false).listen().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

/// Covers the restart of a client that is bound to a fixed port.
#[tokio::test]
async fn client_port_is_bound_again_for_another_peer() {
    let mut listeners = [(); 2].map(|()| bound("127.0.0.1:0").listen().unwrap());
    let peers = [0, 1].map(|at: usize| listeners[at].local_addrs().unwrap()[0]);
    let first = must(bound("127.0.0.1:0").connect(&peers[..1]))
        .await
        .unwrap();
    let own = first.control().local_addrs().unwrap()[0];
    let second = must(bound(own).connect(&peers[1..])).await.unwrap();
    let [one, two] = &mut listeners;
    let (one, two) = (
        must(one.accept()).await.unwrap(),
        must(two.accept()).await.unwrap(),
    );
    assert_eq!(
        (
            one.control().peer_addrs().unwrap(),
            two.control().peer_addrs().unwrap()
        ),
        (vec![own], vec![own])
    );
    drop((first, second));
}
