//! Contestants: the transports of the calls.

use std::{collections::VecDeque, io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use futures::{SinkExt, StreamExt, stream::SplitSink};
use sctp_service::{
    ByStream,
    client::{Client, Remote},
};
use sctp_tokio::{
    AssocId, SocketBuilder,
    options::{InitMsg, StreamScheduler},
};
use tokio::{
    net::TcpStream,
    sync::{Mutex, oneshot},
};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Sharing of a connection between calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Each call has a stream of its own.
    Streams,
    /// The same, and streams take turns (`SCTP_SS_RR`).
    RoundRobin,
    /// The same, and long messages are interleaved with others (I-DATA, RFC 8260).
    Interleaved,
    /// All calls share one stream.
    OneStream,
    /// Frames over TCP, answered in order.
    Tcp,
}

impl Way {
    pub(crate) const ALL: [Self; 5] = [
        Self::Interleaved,
        Self::RoundRobin,
        Self::Streams,
        Self::OneStream,
        Self::Tcp,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Streams => "SCTP, stream a call",
            Self::RoundRobin => "SCTP, streams in turn",
            Self::Interleaved => "SCTP, I-DATA in turn",
            Self::OneStream => "SCTP, one stream",
            Self::Tcp => "TCP, frames",
        }
    }

    /// The socket of either end.
    pub(crate) fn socket(self) -> SocketBuilder {
        let streams = if self == Self::OneStream { 1 } else { 64 };
        SocketBuilder::new()
            .with_init(InitMsg::new().with_outbound_streams(streams))
            .with_send_buffer_size(4 << 20)
            .with_recv_buffer_size(4 << 20)
            .with_interleaving(self == Self::Interleaved)
            .configure(move |socket| {
                if self == Self::RoundRobin {
                    socket.set_stream_scheduler(AssocId::FUTURE, StreamScheduler::RoundRobin)?;
                }
                Ok(())
            })
    }

    pub(crate) async fn connect(self, addr: SocketAddr) -> Result<Caller, Failure> {
        if self == Self::Tcp {
            return Ok(Caller::Tcp(Tcp::connect(addr).await?));
        }
        let settings = match self {
            Self::OneStream => ByStream::new().with_depth(64),
            _ => ByStream::new(),
        };
        let remote = Remote::new(addr).with_socket(self.socket());
        let client = Client::builder().with_correlation(settings);
        Ok(Caller::Sctp(client.connect(remote).await?))
    }
}

/// A connection that calls are made over, cheap to clone.
#[derive(Clone)]
pub(crate) enum Caller {
    Sctp(Client),
    Tcp(Tcp),
}

impl Caller {
    pub(crate) async fn call(&self, request: &'static [u8]) -> Result<Bytes, Failure> {
        match self {
            Self::Sctp(client) => Ok(client.request(request).await?.payload),
            Self::Tcp(tcp) => tcp.call(request).await,
        }
    }
}

type Frames = Framed<TcpStream, LengthDelimitedCodec>;

/// A client over TCP: the answers come in the order of the requests.
#[derive(Clone)]
pub(crate) struct Tcp(Arc<Mutex<Requests>>);

struct Requests {
    frames: SplitSink<Frames, Bytes>,
    waiting: Waiting,
}

type Waiting = Arc<std::sync::Mutex<VecDeque<oneshot::Sender<Bytes>>>>;

impl Tcp {
    async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let (frames, mut answers) = Frames::new(stream, LengthDelimitedCodec::new()).split();
        let waiting = Waiting::default();
        let served = Arc::clone(&waiting);
        tokio::spawn(async move {
            while let Some(Ok(answer)) = answers.next().await {
                let next = served.lock().ok().and_then(|mut queue| queue.pop_front());
                if let Some(call) = next {
                    drop(call.send(answer.freeze()));
                }
            }
        });
        Ok(Self(Arc::new(Mutex::new(Requests { frames, waiting }))))
    }

    async fn call(&self, request: &'static [u8]) -> Result<Bytes, Failure> {
        let (answer, answered) = oneshot::channel();
        {
            let mut requests = self.0.lock().await;
            if let Ok(mut waiting) = requests.waiting.lock() {
                waiting.push_back(answer);
            }
            requests.frames.send(Bytes::from_static(request)).await?;
        }
        Ok(answered.await?)
    }
}
