//! Runs one of our servers, as a child process of the benchmark.

use std::{io, net::Ipv4Addr, thread};

use sctp_examples::signal;
use sctp_service::{Config, MakeService, serve as serve_all, serve_endpoint};
use sctp_tokio::SocketBuilder;
use tokio::runtime::{Builder, Runtime};

use crate::{ALLOCATOR, one_task, report, servers, stacks, support::control, tcp};

/// More than any load has, since those of the load before may not all have gone.
const MAX_ASSOCIATIONS: usize = 20_000;

/// Serves until it is killed, or told to end.
pub(crate) fn serve(role: &str, port: u16) -> io::Result<()> {
    let builder = SocketBuilder::new()
        .with_local_addrs([(Ipv4Addr::LOCALHOST, port).into()])
        .with_send_buffer_size(4 << 20)
        .with_recv_buffer_size(4 << 20);
    if role == "sharded" {
        return sharded(port, &builder.with_reuse_port(true));
    }
    runtime(role.ends_with("threads"))?.block_on(async {
        tokio::spawn(control::answer(port, ALLOCATOR));
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
            "association-threads" => servers::run("association-batch", &builder).await,
            "association-one-task" => one_task::serve(builder.listen()?).await,
            "tcp" => tcp::serve(port).await,
            raw => servers::run(raw, &builder).await,
        }
    })
}

/// Everything is on one thread, as it is in C; those named `threads` have one for each processor.
fn runtime(has_threads: bool) -> io::Result<Runtime> {
    let mut builder = if has_threads {
        Builder::new_multi_thread()
    } else {
        Builder::new_current_thread()
    };
    builder.enable_all().build()
}

/// A thread for each processor, each with a runtime and a listener of its own: the kernel spreads
/// the associations.
fn sharded(port: u16, builder: &SocketBuilder) -> io::Result<()> {
    let shards: Vec<_> = (0..report::processors())
        .map(|_| {
            let runtime = runtime(false)?;
            let listener = runtime.block_on(async { builder.listen() })?;
            Ok((runtime, listener))
        })
        .collect::<io::Result<_>>()?;
    let mut first = true;
    thread::scope(|scope| {
        for (runtime, listener) in servers::ready(shards) {
            let counts = std::mem::take(&mut first);
            scope.spawn(move || {
                runtime.block_on(async {
                    if counts {
                        tokio::spawn(control::answer(port, ALLOCATOR));
                    }
                    let stop = signal::stop()?;
                    serve_all(listener, stacks::echo)
                        .with_config(config())
                        .with_graceful_shutdown(stop)
                        .await;
                    Ok::<_, io::Error>(())
                })
            });
        }
    });
    Ok(())
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
