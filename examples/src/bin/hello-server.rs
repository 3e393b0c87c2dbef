//! Server of the README.
use sctp_service::{IntoReply, Reply, Request, Shutdown, handler::handler_fn, serve};
use sctp_tokio::SctpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower::ServiceBuilder;

/// Replies on the stream of the request. `quit` and `abort` close the association.
async fn hello(request: Request) -> Reply {
    match &request.payload()[..] {
        b"quit" => Reply::new("goodbye").with_shutdown(Shutdown::AfterAck),
        b"abort" => Shutdown::abort("as you wish").into_reply(),
        name => Reply::new(format!("hello, {}", name.escape_ascii())),
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let service = ServiceBuilder::new()
        .concurrency_limit(64) // any tower layer works
        .service(handler_fn(hello));
    let listener = SctpListener::bind("127.0.0.1:9877").await?;
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! { _ = ctrl_c.recv() => {}, _ = terminate.recv() => {} }
    };
    serve(listener, service).with_graceful_shutdown(stop).await;
    Ok(())
}
