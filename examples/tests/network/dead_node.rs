//! A node that is lost without a word.

use std::{
    io::ErrorKind,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use sctp_tokio::{
    End, Event, SocketBuilder,
    options::{AssocInfo, Heartbeat, PeerAddrParams, RtoInfo},
};

use super::{
    netns::{NetNs, cable},
    server,
    support::within,
};

/// The settings of the guide `beyond_one_machine`.
fn impatient() -> SocketBuilder {
    let rto = RtoInfo::new()
        .with_initial(Duration::from_millis(500))
        .with_min(Duration::from_millis(300))
        .with_max(Duration::from_secs(1));
    let heartbeat = Heartbeat::Enabled(Some(Duration::from_secs(5)));
    SocketBuilder::new()
        .with_rto_info(rto)
        .with_assoc_info(AssocInfo::new().with_max_retransmissions(5))
        .with_peer_addr_params(PeerAddrParams::new().with_heartbeat(heartbeat))
}

#[tokio::test]
async fn lost_node_is_noticed_within_seconds() {
    const SERVER: &str = "10.1.0.2:9877";
    let (left, right) = (NetNs::new(), NetNs::new());
    cable(&left, &right, "one", "10.1.0");
    let _server = server(&right, SERVER);
    let link = Arc::new(left);
    let wire = Arc::clone(&link);
    let client = link.start(async move || {
        let to: SocketAddr = SERVER.parse().unwrap();
        let mut client = within("connect", impatient().connect(&[to])).await.unwrap();
        client.send("hello").await.unwrap();
        within("reply", client.recv()).await.unwrap().unwrap();
        wire.tc("qdisc add dev one root netem loss 100%");
        let cut = Instant::now();
        client.send("are you there").await.unwrap();
        loop {
            let event = within("end", client.next_event()).await.unwrap();
            if let Event::Closed(end) = event {
                return (end, cut.elapsed());
            }
        }
    });
    let (end, time) = client.await;
    let error = ErrorKind::TimedOut;
    assert_eq!(end, End::Lost { error });
    // Six timeouts of at most a second; by the kernel's defaults it takes minutes.
    assert!(time < Duration::from_secs(20), "{time:?}");
}
