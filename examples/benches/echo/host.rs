//! Runs one of our servers, as a child process of the benchmark.

use std::{io, net::Ipv4Addr};

use sctp_examples::signal;
use sctp_service::{Config, MakeService, serve as serve_all, serve_endpoint};
use sctp_tokio::SocketBuilder;
use tokio::runtime::{Builder, Runtime};

use crate::{ALLOCATOR, servers, stacks, support::control, tcp};

/// More than any load has, since those of the load before may not all have gone.
const MAX_ASSOCIATIONS: usize = 20_000;

/// Serves until it is killed, or told to end.
pub(crate) fn serve(role: &str, port: u16) -> io::Result<()> {
    runtime(role == "threads")?.block_on(async {
        tokio::spawn(control::answer(port, ALLOCATOR));
        let builder = SocketBuilder::new()
            .bind([(Ipv4Addr::LOCALHOST, port).into()])
            .with_send_buffer_size(4 << 20)
            .with_recv_buffer_size(4 << 20);
        match role {
            "handler" | "threads" => associations(&builder, stacks::echo).await,
            "inline" => associations(&builder, stacks::Inline).await,
            "layers" => associations(&builder, stacks::layered()).await,
            "shared" => {
                let endpoint = servers::ready(builder.endpoint()?);
                serve_endpoint(endpoint, stacks::echo)
                    .with_config(config())
                    .with_graceful_shutdown(signal::stop()?)
                    .await;
                Ok(())
            }
            "tcp" => tcp::serve(port).await,
            raw => servers::run(raw, &builder).await,
        }
    })
}

/// Everything is on one thread, as it is in C; `threads` has one for each processor.
fn runtime(has_threads: bool) -> io::Result<Runtime> {
    let mut builder = if has_threads {
        Builder::new_multi_thread()
    } else {
        Builder::new_current_thread()
    };
    builder.enable_all().build()
}

async fn associations<K: 'static>(
    builder: &SocketBuilder,
    make_service: impl MakeService<K>,
) -> io::Result<()> {
    let stop = signal::stop()?;
    serve_all(servers::ready(builder.listen()?), make_service)
        .with_config(config())
        .with_graceful_shutdown(stop)
        .await;
    Ok(())
}

fn config() -> Config {
    Config::default().with_max_associations(MAX_ASSOCIATIONS)
}
