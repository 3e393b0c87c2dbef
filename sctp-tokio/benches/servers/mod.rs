//! The echo servers that are measured.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    task::{Context, Poll},
};

use sctp_tokio::{
    AssocId, Association, Endpoint, Event, Message, Received, RecvError, SctpListener,
    SocketBuilder,
};

/// Messages that are answered together at most, so that a fast peer cannot postpone its answers.
const BATCH: usize = 64;

/// Serves until it is killed.
pub(crate) async fn run(role: &str, builder: &SocketBuilder) -> io::Result<()> {
    match role {
        "association" => accept(builder.listen()?, single).await,
        "association-try" => accept(builder.listen()?, tried).await,
        "association-batch" => accept(builder.listen()?, batched).await,
        "endpoint" => endpoint(ready(builder.endpoint()?)).await,
        "endpoint-batch" => endpoint_batched(ready(builder.endpoint()?)).await,
        other => Err(io::Error::other(format!("there is no server {other}"))),
    }
}

/// Says that peers can come.
pub(crate) fn ready<T>(listening: T) -> T {
    println!("ready");
    listening
}

async fn accept<F>(listener: SctpListener, serve: fn(Association) -> F) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut listener = ready(listener);
    loop {
        tokio::spawn(serve(listener.accept().await?));
    }
}

fn echo(received: Received) -> Message {
    let info = received.info.reply();
    Message::new(received.payload).with_info(info)
}

/// One message in, one message out.
async fn single(mut association: Association) -> io::Result<()> {
    while let Some(received) = association.recv().await? {
        association.send(echo(received)).await?;
    }
    Ok(())
}

/// The same, without waiting while there is something to do.
async fn tried(mut association: Association) -> io::Result<()> {
    while let Some(received) = association.recv().await? {
        association.send(echo(received)).await?;
        loop {
            match association.try_next_event() {
                Ok(Event::Message(received)) => association.send(echo(received)).await?,
                Ok(Event::Closed(_)) => return Ok(()),
                Ok(_) => {}
                Err(RecvError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// All that is there in, the answers out together.
pub(crate) async fn batched(mut association: Association) -> io::Result<()> {
    let mut answers = VecDeque::with_capacity(BATCH);
    while poll_fn(|cx| poll_batch(&mut association, &mut answers, cx)).await? {
        association.send_queue(&mut answers).await?;
    }
    Ok(())
}

/// Waits for a message, and takes those that came with it. Whether there was any.
fn poll_batch(
    association: &mut Association,
    answers: &mut VecDeque<Message>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<bool>> {
    while answers.len() < BATCH {
        match association.poll_recv(cx)? {
            Poll::Ready(Some(received)) => answers.push_back(echo(received)),
            Poll::Ready(None) => return Poll::Ready(Ok(false)),
            Poll::Pending if answers.is_empty() => return Poll::Pending,
            Poll::Pending => break,
        }
    }
    Poll::Ready(Ok(true))
}

/// One socket for all, one message in, one message out.
async fn endpoint(mut endpoint: Endpoint) -> io::Result<()> {
    loop {
        let event = endpoint.next_event().await?;
        if let Event::Message(received) = event.event {
            // A peer that has gone is no failure.
            let _ = endpoint.send(event.assoc, echo(received)).await;
        }
    }
}

/// One socket for all: all that is there in, the answers out together.
async fn endpoint_batched(mut endpoint: Endpoint) -> io::Result<()> {
    let sender = endpoint.sender();
    let mut answers = VecDeque::with_capacity(BATCH);
    loop {
        poll_fn(|cx| poll_endpoint(&mut endpoint, &mut answers, cx)).await?;
        while sender.send_many(&mut answers).await.is_err() {
            // A peer that has gone is no failure.
        }
    }
}

/// Waits for a message, and takes those that came with it.
fn poll_endpoint(
    endpoint: &mut Endpoint,
    answers: &mut VecDeque<(AssocId, Message)>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while answers.len() < BATCH {
        match endpoint.poll_next_event(cx)? {
            Poll::Ready(event) => {
                if let Event::Message(received) = event.event {
                    answers.push_back((event.assoc, echo(received)));
                }
            }
            Poll::Pending if answers.is_empty() => return Poll::Pending,
            Poll::Pending => break,
        }
    }
    Poll::Ready(Ok(()))
}
