//! A codec of tokio-util on an association: lines in, lines out, one in each message.
//!
//! ```text
//! cargo run -p sctp-tokio --example codec
//! ```

use futures::{SinkExt, StreamExt};
use sctp_tokio::{Association, MessageFramed, SctpListener, SendInfo};
use tokio_util::codec::LinesCodec;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let mut listener = SctpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addrs()?[0];
    let server = tokio::spawn(async move { shout(listener.accept().await?).await });

    let association = Association::connect(addr).await?;
    let mut lines = MessageFramed::new(association, LinesCodec::new_with_max_length(80));
    for (stream, line) in ["hello", "is anybody there?"].into_iter().enumerate() {
        let info = SendInfo::on_stream(u16::try_from(stream)?);
        lines.send((line, info)).await?;
        if let Some((answer, info)) = lines.next().await.transpose()? {
            println!("client: {answer:?} on stream {}", info.stream);
        }
    }

    // Two lines in one message are one too many.
    let (mut association, ..) = lines.into_parts();
    association.send("first\nsecond\n").await?;
    server.await??;
    println!("client: {}", association.shutdown().await?);
    Ok(())
}

async fn shout(association: Association) -> Result<()> {
    let mut lines = MessageFramed::new(association, LinesCodec::new_with_max_length(80));
    while let Some(line) = lines.next().await {
        match line {
            Ok((line, info)) => lines.send((line.to_uppercase(), info.reply())).await?,
            Err(error) => {
                println!("server: {error}");
                break;
            }
        }
    }
    Ok(())
}
