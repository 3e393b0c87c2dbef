//! Instruments of requests and replies.

use std::sync::Arc;

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use tokio::time::Instant;

use super::stream::Counted;
use crate::{Reply, Request, Shutdown, reply::ReplyMessage};

/// The handles of one recorder.
pub(super) struct Instruments {
    requests: Counter,
    request_bytes: Counter,
    in_flight: Gauge,
    duration: Histogram,
    failures: Counter,
    reply_messages: Counter,
    reply_bytes: Counter,
    after_ack: Counter,
    abort: Counter,
}

impl Instruments {
    pub(super) fn new() -> Self {
        describe();
        Self {
            requests: counter!("sctp_requests_total"),
            request_bytes: counter!("sctp_request_bytes_total"),
            in_flight: gauge!("sctp_requests_in_flight"),
            duration: histogram!("sctp_request_duration_seconds"),
            failures: counter!("sctp_request_failures_total"),
            reply_messages: counter!("sctp_reply_messages_total"),
            reply_bytes: counter!("sctp_reply_bytes_total"),
            after_ack: counter!("sctp_terminations_total", "kind" => "after_ack"),
            abort: counter!("sctp_terminations_total", "kind" => "abort"),
        }
    }

    /// Records that a call begins.
    pub(super) fn begin(this: &Arc<Self>, request: &Request) -> Call {
        this.requests.increment(1);
        this.request_bytes.increment(request.payload().len() as u64);
        this.in_flight.increment(1);
        Call {
            instruments: Arc::clone(this),
            begin: Instant::now(),
        }
    }

    pub(super) fn message(&self, message: &ReplyMessage) {
        self.reply_messages.increment(1);
        self.reply_bytes.increment(message.payload.len() as u64);
    }

    pub(super) fn termination(&self, shutdown: &Shutdown) {
        match shutdown {
            Shutdown::AfterAck => self.after_ack.increment(1),
            Shutdown::Abort(_) => self.abort.increment(1),
        }
    }
}

/// A call in flight; dropped, it is so no more.
pub(super) struct Call {
    instruments: Arc<Instruments>,
    begin: Instant,
}

impl Call {
    /// Records an answer.
    pub(super) fn answered(&self, reply: Reply) -> Reply {
        let instruments = &self.instruments;
        self.elapsed();
        for message in reply.messages() {
            instruments.message(message);
        }
        if let Some(shutdown) = reply.shutdown() {
            instruments.termination(shutdown);
        }
        reply.map_stream(|inner| Box::pin(Counted::new(inner, Arc::clone(instruments))))
    }

    /// Records an error.
    pub(super) fn failed(&self) {
        self.elapsed();
        self.instruments.failures.increment(1);
    }

    fn elapsed(&self) {
        self.instruments.duration.record(self.begin.elapsed());
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.instruments.in_flight.decrement(1);
    }
}

fn describe() {
    describe_counter!("sctp_requests_total", Unit::Count, "Calls of the service.");
    describe_counter!(
        "sctp_request_bytes_total",
        Unit::Bytes,
        "Payloads of requests."
    );
    describe_gauge!(
        "sctp_requests_in_flight",
        Unit::Count,
        "Calls that were not yet answered or dropped."
    );
    describe_histogram!(
        "sctp_request_duration_seconds",
        Unit::Seconds,
        "From the call of the service to its answer."
    );
    describe_counter!(
        "sctp_request_failures_total",
        Unit::Count,
        "Calls that ended with an error of the service."
    );
    describe_counter!(
        "sctp_reply_messages_total",
        Unit::Count,
        "Messages of replies."
    );
    describe_counter!(
        "sctp_reply_bytes_total",
        Unit::Bytes,
        "Payloads of messages of replies."
    );
    describe_counter!(
        "sctp_terminations_total",
        Unit::Count,
        "Replies that end their association, by kind."
    );
}
