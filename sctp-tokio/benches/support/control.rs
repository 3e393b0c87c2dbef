//! Number of allocations of a server of ours: asked for over UDP, so that it is no more than
//! one more idle descriptor while it is being measured.

use std::{
    alloc::System,
    io,
    net::{Ipv4Addr, UdpSocket},
    time::Duration,
};

use stats_alloc::StatsAlloc;

/// A server that is under load for longer than this before it answers has collapsed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers the question above from within a server, on the port number of its SCTP socket.
pub(crate) async fn answer(port: u16, allocator: &StatsAlloc<System>) -> io::Result<()> {
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let mut question = [0; 1];
    loop {
        let (_, from) = socket.recv_from(&mut question).await?;
        let stats = allocator.stats();
        let count = (stats.allocations + stats.reallocations) as u64;
        socket.send_to(&count.to_ne_bytes(), from).await?;
    }
}

/// Asks the server on a port.
pub(crate) fn allocations(port: u16) -> io::Result<u64> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    // It may have much to do before it comes to this.
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(&[0], (Ipv4Addr::LOCALHOST, port))?;
    let mut count = [0; 8];
    socket.recv(&mut count).map_err(|error| {
        if error.kind() != io::ErrorKind::WouldBlock {
            return error;
        }
        let seconds = PATIENCE.as_secs();
        let text = format!("the server did not tell its allocations within {seconds} s");
        io::Error::new(io::ErrorKind::TimedOut, text)
    })?;
    Ok(u64::from_ne_bytes(count))
}
