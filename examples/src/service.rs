//! The echo server's service, and the layer around it.

use std::{convert::Infallible, fmt, str::FromStr};

use bytes::Bytes;
use sctp_service::{AbortReason, Handler, IntoReply, Message, Reply, Request, Shutdown, State};
use tower::{Service, ServiceBuilder};

use crate::line;

/// Maximum number of concurrent calls of all associations.
const MAX_CALLS: usize = 1024;

/// Settings of the replies.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Answers on the stream after the one that the message came on.
    pub stream_increment: bool,
    /// Effect of a reply on its association.
    pub ending: Ending,
}

/// Effect of a reply on its association.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// The association stays open, unless the message itself asks for an end.
    #[default]
    None,
    /// It is shut down once the reply is acknowledged.
    AfterAck,
    /// It is aborted, and there is no reply.
    Abort(AbortReason),
}

impl FromStr for Ending {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "after-ack" => Ok(Self::AfterAck),
            _ => match text.strip_prefix("abort=") {
                Some(reason) => line::reason(reason)
                    .map(Self::Abort)
                    .map_err(|e| e.to_string()),
                None => Err("expected none, after-ack or abort=REASON".to_owned()),
            },
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::AfterAck => f.write_str("after-ack"),
            Self::Abort(reason) => write!(f, "abort={reason}"),
        }
    }
}

/// The echo service, with all calls together bounded in number. Nothing in it waits or fails, so a
/// timeout would only read the clock for each message; `bin/middleware.rs` has one, and what goes
/// around it.
pub fn service(
    settings: Settings,
) -> impl Service<Request, Response = Reply, Error = Infallible, Future: Send> + Clone + Send {
    ServiceBuilder::new()
        .concurrency_limit(MAX_CALLS)
        .service(echo.with_state(settings))
}

/// Answers a message with itself. What becomes of the association the settings say, or the
/// message: `quit` asks for an orderly end behind the reply, `abort REASON` for an abort.
async fn echo(State(settings): State<Settings>, request: Request) -> Reply {
    let echo = Reply::new(answer(&request, request.payload().clone(), &settings));
    match settings.ending {
        Ending::AfterAck => echo.with_shutdown(Shutdown::AfterAck),
        Ending::Abort(reason) => reason.into_reply(),
        Ending::None => match &request.payload()[..] {
            b"quit" => echo.with_shutdown(Shutdown::AfterAck),
            payload => match payload.strip_prefix(b"abort ") {
                Some(reason) => abort(&request, reason, &settings),
                None => echo,
            },
        },
    }
}

/// Aborts with the reason that the peer chose; one that is too long is told in a message.
fn abort(request: &Request, reason: &[u8], settings: &Settings) -> Reply {
    match AbortReason::new(reason.to_vec()) {
        Ok(reason) => reason.into_reply(),
        Err(error) => Reply::new(answer(request, error.to_string(), settings)),
    }
}

/// A message that answers a request, on the request's stream or the next one. It wraps at the
/// number of streams that there are in this direction: the peer may have more in the other.
fn answer(request: &Request, payload: impl Into<Bytes>, settings: &Settings) -> Message {
    let streams = request.connect_info().outbound_streams().max(1);
    let stream = request.stream().get() % streams;
    let stream = match settings.stream_increment {
        true => (stream + 1) % streams,
        false => stream,
    };
    Message::new(payload)
        .with_info(request.info().reply())
        .on_stream(stream)
}

#[cfg(test)]
mod tests {
    use sctp_service::{AssocId, ConnectInfo, Received};
    use sctp_tokio::RecvInfo;

    use super::*;

    /// The echo of "hi", sent on `stream` to a server that has three.
    fn stream_of_echo(stream: u16, stream_increment: bool) -> u16 {
        let received = Received::new("hi", RecvInfo::default().with_stream(stream));
        let info = ConnectInfo::new(AssocId::new(1)).with_streams(65535, 3);
        let settings = Settings {
            stream_increment,
            ..Settings::default()
        };
        let message = answer(&Request::new(received, info), "hi", &settings);
        message.info.stream.get()
    }

    #[test]
    fn reply_is_on_the_stream_of_the_message_or_the_next_one() {
        assert_eq!(stream_of_echo(1, false), 1);
        assert_eq!(stream_of_echo(1, true), 2);
    }

    #[test]
    fn streams_wrap_at_the_negotiated_count() {
        assert_eq!(stream_of_echo(2, true), 0);
        assert_eq!(stream_of_echo(3, false), 0);
        assert_eq!(stream_of_echo(65535, false), 0);
        assert_eq!(stream_of_echo(65535, true), 1);
    }

    #[test]
    fn endings_read_and_show_alike() {
        for text in ["none", "after-ack", "abort=", "abort=go away"] {
            assert_eq!(text.parse::<Ending>().unwrap().to_string(), text);
        }
        assert!(
            "later"
                .parse::<Ending>()
                .unwrap_err()
                .contains("abort=REASON")
        );
        let long = format!("abort={}", "x".repeat(AbortReason::MAX_LEN + 1));
        assert!(long.parse::<Ending>().unwrap_err().contains("1025 bytes"));
    }
}
