//! A service that does what it is told.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use bytes::{Bytes, BytesMut};
use sctp_service::{AbortReason, IntoReply, Message, Reply, Request, Shutdown};

/// The operation of a request: its first byte.
pub(crate) const ECHO: u8 = 0;
pub(crate) const LATER: u8 = 1;
pub(crate) const THRICE: u8 = 2;
pub(crate) const SILENCE: u8 = 3;
pub(crate) const QUIT: u8 = 4;
pub(crate) const ABORT: u8 = 5;
/// One answer that is pushed, and one that is a reply.
pub(crate) const BOTH: u8 = 6;
/// An answer that is pushed, and no reply.
pub(crate) const PUSH: u8 = 7;
/// Like `QUIT` and `ABORT`, without a reply.
pub(crate) const LEAVE: u8 = 8;
pub(crate) const EXPEL: u8 = 9;

/// The reason that the server aborts a client with.
pub(crate) fn server_reason(who: u8) -> String {
    format!("server to {who}")
}

#[derive(Clone, Default)]
pub(crate) struct Service {
    /// The requests that were served: of whom, and which.
    served: Arc<Mutex<HashSet<(u8, u8)>>>,
    twice: Arc<Mutex<Vec<(u8, u8)>>>,
}

impl Service {
    pub(crate) async fn call(self, request: Request) -> Reply {
        let peer = request.association().clone();
        let stream = request.stream();
        let payload = request.into_payload();
        let push = |index| Message::new(numbered(&payload, index)).on_stream(stream);
        let (kind, who, id) = (payload[0], payload[1], payload[2]);
        if !self.served.lock().unwrap().insert((who, id)) {
            self.twice.lock().unwrap().push((who, id));
        }
        match kind {
            LATER => {
                for _ in 0..id % 7 {
                    tokio::task::yield_now().await;
                }
                Reply::new(numbered(&payload, 0))
            }
            THRICE => {
                let replies: Vec<Bytes> = (0..3).map(|index| numbered(&payload, index)).collect();
                replies.into_reply()
            }
            SILENCE => ().into_reply(),
            QUIT => Reply::new(numbered(&payload, 0)).with_shutdown(Shutdown::AfterAck),
            ABORT => {
                let reason = AbortReason::new(server_reason(who)).unwrap();
                Shutdown::Abort(reason).into_reply()
            }
            // That it fails means that the association is ending, and then nothing is due.
            BOTH if peer.send(push(0)).await.is_ok() => Reply::new(numbered(&payload, 1)),
            PUSH | LEAVE if peer.send(push(0)).await.is_ok() => {
                if kind == LEAVE {
                    let _ = peer.shutdown(Shutdown::AfterAck);
                }
                ().into_reply()
            }
            BOTH | PUSH | LEAVE => ().into_reply(),
            EXPEL => {
                let _ = peer.shutdown(Shutdown::abort(server_reason(who)));
                ().into_reply()
            }
            _ => Reply::new(numbered(&payload, 0)),
        }
    }

    pub(crate) fn check(&self) {
        assert_eq!(*self.twice.lock().unwrap(), [], "served twice");
    }
}

/// The payload with a number instead of what was asked for.
fn numbered(payload: &Bytes, index: u8) -> Bytes {
    let mut reply = BytesMut::from(&payload[..]);
    reply[0] = index;
    reply.freeze()
}
