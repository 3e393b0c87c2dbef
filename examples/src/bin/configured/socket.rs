//! Settings of a socket.

use std::{net::SocketAddr, time::Duration};

use sctp_tokio::{
    SocketBuilder,
    options::{AssocInfo, Heartbeat, InitMsg, PeerAddrParams, RtoInfo, SackDelay},
};
use serde::{Deserialize, Serialize};

use crate::values::{Number, OrKernel, OrNone, Time};

type Streams = Number<u16, 1, 65_535>;
type Attempts = OrKernel<Number<u16, 1, 65_535>>;
/// The kernel has 32 bits for milliseconds, of which the sign is not used.
type KernelTime = OrKernel<Time<1, 2_147_483_647>>;
type BufferSize = OrKernel<Number<usize, 1, 2_147_483_647>>;

/// Addresses, options and timers of a listener's or a client's sockets.
#[derive(Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Socket {
    pub(crate) local_addrs: Vec<SocketAddr>,
    outbound_streams: Streams,
    max_inbound_streams: Streams,
    init_max_attempts: Attempts,
    init_max_timeout: OrKernel<Time<1, 65_535>>,
    rto_initial: KernelTime,
    rto_min: KernelTime,
    rto_max: KernelTime,
    max_retransmissions: Attempts,
    path_max_retransmissions: Attempts,
    cookie_life: KernelTime,
    heartbeat_interval: KernelTime,
    sack_delay: OrKernel<Time<1, 500>>,
    dscp: OrKernel<Number<u8, 0, 63>>,
    nodelay: bool,
    interleaving: bool,
    reuse_address: bool,
    reuse_port: bool,
    send_buffer_size: BufferSize,
    recv_buffer_size: BufferSize,
    max_message_size: Number<usize, 1, 2_147_483_647>,
    connect_timeout: OrNone<Time<1, 2_147_483_647>>,
}

impl Default for Socket {
    fn default() -> Self {
        Self::of(&SocketBuilder::new())
    }
}

impl Socket {
    /// Returns the settings of a builder. Zero, to the kernel, is its default.
    pub(crate) fn of(builder: &SocketBuilder) -> Self {
        let attempts = |number: u16| OrKernel::new((number > 0).then_some(Number(number)));
        let size = |size: Option<usize>| OrKernel::new(size.map(Number));
        let (init, rto) = (builder.init(), builder.rto_info());
        let (association, path) = (builder.assoc_info(), builder.peer_addr_params());
        Self {
            local_addrs: builder.local_addrs().to_vec(),
            outbound_streams: Number(init.outbound_streams),
            max_inbound_streams: Number(init.max_inbound_streams),
            init_max_attempts: attempts(init.max_attempts),
            init_max_timeout: time(init.max_timeout),
            rto_initial: time(rto.initial),
            rto_min: time(rto.min),
            rto_max: time(rto.max),
            max_retransmissions: attempts(association.max_retransmissions),
            path_max_retransmissions: attempts(path.max_retransmissions),
            cookie_life: time(association.cookie_life),
            heartbeat_interval: OrKernel::new(match path.heartbeat {
                Heartbeat::Enabled(interval) => interval.map(Time),
                _ => None,
            }),
            sack_delay: OrKernel::new(match path.sack_delay {
                SackDelay::Enabled(delay) => delay.map(Time),
                _ => None,
            }),
            dscp: OrKernel::new(path.dscp.map(Number)),
            nodelay: builder.nodelay(),
            interleaving: builder.interleaving(),
            reuse_address: builder.reuse_address(),
            reuse_port: builder.reuse_port(),
            send_buffer_size: size(builder.send_buffer_size()),
            recv_buffer_size: size(builder.recv_buffer_size()),
            max_message_size: Number(builder.max_message_size()),
            connect_timeout: OrNone::new(builder.connect_timeout().map(Time)),
        }
    }

    /// Makes a builder with these settings.
    pub(crate) fn builder(&self) -> SocketBuilder {
        let mut builder = SocketBuilder::new()
            .with_local_addrs(self.local_addrs.iter().copied())
            .with_init(self.init())
            .with_rto_info(self.rto())
            .with_assoc_info(self.association())
            .with_peer_addr_params(self.path())
            .with_nodelay(self.nodelay)
            .with_interleaving(self.interleaving)
            .with_reuse_address(self.reuse_address)
            .with_reuse_port(self.reuse_port)
            .with_max_message_size(self.max_message_size.0);
        if let Some(bytes) = self.send_buffer_size.0 {
            builder = builder.with_send_buffer_size(bytes.0);
        }
        if let Some(bytes) = self.recv_buffer_size.0 {
            builder = builder.with_recv_buffer_size(bytes.0);
        }
        if let Some(timeout) = self.connect_timeout.0 {
            builder = builder.with_connect_timeout(timeout.0);
        }
        builder
    }

    /// Returns what is wrong with settings that do not fit each other.
    pub(crate) fn check(&self) -> Result<(), String> {
        let times = [
            ("rto_min", &self.rto_min),
            ("rto_initial", &self.rto_initial),
            ("rto_max", &self.rto_max),
        ];
        let set: Vec<_> = times
            .iter()
            .filter_map(|(name, time)| Some((name, time.0?.0)))
            .collect();
        for pair in set.windows(2) {
            let [(low, shorter), (high, longer)] = pair else {
                continue;
            };
            if shorter > longer {
                return Err(format!("{low} of {shorter:?} exceeds {high} of {longer:?}"));
            }
        }
        Ok(())
    }

    fn init(&self) -> InitMsg {
        let mut init = InitMsg::new()
            .with_outbound_streams(self.outbound_streams.0)
            .with_max_inbound_streams(self.max_inbound_streams.0);
        if let Some(attempts) = self.init_max_attempts.0 {
            init = init.with_max_attempts(attempts.0);
        }
        if let Some(timeout) = self.init_max_timeout.0 {
            init = init.with_max_timeout(timeout.0);
        }
        init
    }

    fn rto(&self) -> RtoInfo {
        let or_zero = |time: &KernelTime| time.0.map_or(Duration::ZERO, |time| time.0);
        RtoInfo::new()
            .with_initial(or_zero(&self.rto_initial))
            .with_min(or_zero(&self.rto_min))
            .with_max(or_zero(&self.rto_max))
    }

    fn association(&self) -> AssocInfo {
        let mut info = AssocInfo::new();
        if let Some(count) = self.max_retransmissions.0 {
            info = info.with_max_retransmissions(count.0);
        }
        if let Some(life) = self.cookie_life.0 {
            info = info.with_cookie_life(life.0);
        }
        info
    }

    fn path(&self) -> PeerAddrParams {
        let mut params = PeerAddrParams::new();
        if let Some(count) = self.path_max_retransmissions.0 {
            params = params.with_max_retransmissions(count.0);
        }
        if let Some(interval) = self.heartbeat_interval.0 {
            params = params.with_heartbeat(Heartbeat::Enabled(Some(interval.0)));
        }
        if let Some(delay) = self.sack_delay.0 {
            params = params.with_sack_delay(SackDelay::Enabled(Some(delay.0)));
        }
        if let Some(dscp) = self.dscp.0 {
            params = params.with_dscp(dscp.0);
        }
        params
    }
}

/// Converts a time of the kernel, to which zero is its default.
fn time<const MAX: u64>(time: Duration) -> OrKernel<Time<1, MAX>> {
    OrKernel::new((!time.is_zero()).then_some(Time(time)))
}
