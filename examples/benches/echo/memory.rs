//! Memory of an idle association.

use std::{io, thread, time::Duration};

use crate::support::{Case, server::Server};

/// Between two looks at whether a server has come to rest.
const STEP: Duration = Duration::from_millis(50);

/// Bytes of the process for each association: memory that is not of a file (`RssAnon`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// No message came yet.
    pub(crate) unused: f64,
    /// Each has had messages of 64 bytes, and waits for more.
    pub(crate) used: f64,
}

/// Measures two servers that nobody used before.
pub(crate) fn measure(
    mut start: impl FnMut() -> io::Result<Server>,
    client: (&std::path::Path, &str),
    associations: usize,
) -> io::Result<Memory> {
    let mut cost = |in_flight| {
        let server = start()?;
        let growth = growth(&server, client, associations, in_flight)?;
        Ok::<_, io::Error>(growth / associations as f64)
    };
    Ok(Memory {
        unused: cost(0)?,
        used: cost(1)?,
    })
}

/// By how much a server grows when these associations come to one that is in use.
fn growth(
    server: &Server,
    client: (&std::path::Path, &str),
    associations: usize,
    in_flight: usize,
) -> io::Result<f64> {
    let case = |associations, in_flight| Case {
        associations,
        in_flight,
        size: 64,
    };
    let (mut before, mut with) = (0, 0);
    // The first one brings what there is once: code, buffers, tables.
    server.measure_and(client, case(1, 1), Duration::ZERO, || {
        rest(server)?;
        before = server.memory()?;
        let many = case(associations, in_flight);
        server.measure_and(client, many, Duration::ZERO, || {
            rest(server)?;
            with = server.memory()?;
            Ok(())
        })?;
        Ok(())
    })?;
    Ok(with as f64 - before as f64)
}

/// Waits until a server has nothing more to do with associations that came or went.
pub(crate) fn rest(server: &Server) -> io::Result<()> {
    let mut before = server.cpu()?;
    for _ in 0..200 {
        #[expect(
            clippy::disallowed_methods,
            reason = "the rest of another process is no event"
        )]
        thread::sleep(STEP);
        let now = server.cpu()?;
        if now == before {
            return Ok(());
        }
        before = now;
    }
    Err(io::Error::other(format!("{} does not rest", server.name)))
}
