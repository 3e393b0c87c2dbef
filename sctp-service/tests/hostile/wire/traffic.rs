//! On an association that is up.

use std::time::Instant;

use super::{
    packet::{
        ABORT, BEGIN, DATA, END, ERROR, SACK, SHUTDOWN, chunk, chunk_of_length, data, packet,
    },
    *,
};

/// The flag of an ABORT that its sender has no tag of its own.
const T: u8 = 1;

both_styles! {
    async fn duplicates_and_disorder_are_put_right(style: Style) {
        const MESSAGES: u16 = 40;
        let outcome = attack(style, |wire| {
            let mut rng = Rng::new(4);
            let mut peer = wire.connect(9000);
            let mut packets = Vec::new();
            for number in 0..MESSAGES {
                let whole = peer.fragment(BEGIN | END, number, &number.to_be_bytes());
                let packet = peer.packet(&[whole]);
                packets.extend([packet.clone(), packet.clone(), packet]);
            }
            rng.shuffle(&mut packets);
            for packet in &packets {
                wire.send(packet);
            }
            // One more, in order, which is answered when all before it were.
            peer.message(MESSAGES, &MESSAGES.to_be_bytes());
            let nudge = peer.packet(&[chunk(4, 0, b"\0\x01\0\x08here")]);
            wire.ask(9000, &nudge, 5);
            wire.ask(9000, &nudge, 5);
            while wire.ask(9000, &nudge, DATA).1.len() != 14 {}
            peer.abort();
        }).await;
        let expected: Vec<_> = (0..=MESSAGES).map(u16::to_be_bytes).collect();
        // What had not been asked for when the end came is not asked any more.
        assert!(!outcome.heard.is_empty());
        assert!(expected.iter().zip(&outcome.heard).all(|(sent, heard)| heard == &sent[..]));
    }

    async fn wrong_checksums_and_wrong_tags_are_not_heard(style: Style) {
        let outcome = attack(style, |wire| {
            let mut peer = wire.connect(9000);
            for _ in 0..500 {
                let mut broken = peer.packet(&[data(BEGIN | END, peer.tsn, 0, 0, b"broken")]);
                broken[9] ^= 1;
                wire.send(&broken);
                let foreign = [data(BEGIN | END, peer.tsn, 0, 0, b"foreign")];
                wire.send(&packet(9000, wire.port, peer.tag ^ 1, &foreign));
            }
            peer.message(0, b"right");
            let nudge = peer.packet(&[chunk(4, 0, b"\0\x01\0\x08here")]);
            wire.ask(9000, &nudge, DATA);
            peer.abort();
        }).await;
        assert_eq!(outcome.heard, ["right"]);
        assert_eq!(outcome.alarms, 0);
    }

    async fn chunks_that_are_malformed(style: Style) {
        let outcome = attack(style, |wire| {
            let mut rng = Rng::new(5);
            for port in 9000..9060 {
                let peer = wire.connect(port);
                for _ in 0..40 {
                    let length = rng.below(60);
                    let value = rng.bytes(length);
                    let kinds = [rng.byte() % 16, rng.byte(), 64, 130, 192, 193, 0x80];
                    let kind = kinds[rng.below(kinds.len())];
                    let says = [length + 4, rng.below(80), 0, 3, 65_535][rng.below(5)];
                    let says = u16::try_from(says).unwrap();
                    let odd = chunk_of_length(kind, rng.byte(), says, &value);
                    // A good one in front, so that the odd one is not the first.
                    let front = chunk(SACK, 0, &[0; 12]);
                    match rng.below(2) {
                        0 => peer.send(&[odd]),
                        _ => peer.send(&[front, odd]),
                    }
                }
                peer.abort();
            }
        }).await;
        assert_eq!(outcome.came_up(), outcome.closed() + 1);
        assert_eq!(outcome.alarms, 0);
    }

    async fn one_byte_in_each_packet(style: Style) {
        let outcome = attack(style, |wire| {
            let mut peer = wire.connect(9000);
            for at in 0..500 {
                let flags = match at { 0 => BEGIN, 499 => END, _ => 0 };
                let fragment = peer.fragment(flags, 0, b"1");
                peer.send(&[fragment]);
            }
            let nudge = peer.packet(&[chunk(4, 0, b"\0\x01\0\x08here")]);
            wire.ask(9000, &nudge, DATA);
            peer.abort();
        }).await;
        assert_eq!(outcome.heard, ["1".repeat(500)]);
        assert_eq!(outcome.alarms, 0);
    }

    async fn a_message_that_never_ends(style: Style) {
        let outcome = attack(style, |wire| {
            let mut peer = wire.connect(9000);
            // Beyond the receive buffer it is delivered in parts, beyond the limit it is too much.
            for at in 0..1500 {
                let flags = if at == 0 { BEGIN } else { 0 };
                let fragment = peer.fragment(flags, 0, &[b'x'; 1000]);
                peer.send(&[fragment]);
            }
            peer.abort();
        }).await;
        assert!(outcome.heard.is_empty());
        assert_eq!(outcome.closed(), 1);
        assert!(outcome.alarms <= 1);
    }

    async fn the_middle_of_many_messages(style: Style) {
        let shared = style == Style::OneToMany;
        let outcome = attack(style, move |wire| {
            let peer = wire.connect(9000);
            // Fragments of messages whose first and last fragments never come.
            for at in 0..1500 {
                peer.send(&[data(0, peer.tsn + 3 * at + 1, 0, 0, &[b'x'; 100])]);
            }
            // On a shared socket they fill everybody's receive buffer, for as long as they stay.
            let stay = if shared { Duration::from_secs(4) } else { Duration::ZERO };
            let begun = Instant::now();
            while begun.elapsed() < stay {
                let nudge = peer.packet(&[chunk(4, 0, b"\0\x01\0\x08here")]);
                wire.ask(9000, &nudge, 5);
            }
            peer.abort();
        }).await;
        assert!(outcome.heard.is_empty());
        assert_eq!(outcome.alarms, 0);
    }

    async fn errors_without_end_while_the_server_is_busy(style: Style) {
        let outcome = attack(style, |wire| {
            let mut peer = wire.connect(9000);
            // From now on nothing is read: the service has all the calls that it may have.
            for number in 0..4 {
                peer.message(number, b"stay");
            }
            // Each packet reports three hundred errors.
            let causes = [0, 12, 0, 4].repeat(300);
            for _ in 0..60 {
                peer.send(&[chunk(ERROR, 0, &causes)]);
            }
            let nudge = peer.packet(&[chunk(4, 0, b"\0\x01\0\x08here")]);
            wire.ask(9000, &nudge, 5);
            wire.ask(9000, &nudge, 5);
            peer.abort();
        }).await;
        assert!(outcome.queued < 4 << 20, "{} queued for one peer", kib(outcome.queued));
        assert_eq!(outcome.alarms, 0);
    }

    async fn restarts(style: Style) {
        const RESTARTS: u32 = 50;
        let outcome = attack(style, |wire| {
            for life in 1..=RESTARTS {
                let mut peer = wire.connect_as(9000, life << 8);
                peer.message(0, b"stay");
                if life == RESTARTS {
                    peer.abort();
                }
            }
        }).await;
        assert_eq!((outcome.came_up(), outcome.closed()), (2, 1));
        let restarted = |report: &&Report| matches!(report, Report::Other(what) if what.starts_with("Restarted"));
        let restarts = outcome.reports.iter().filter(restarted).count();
        assert_eq!(restarts, RESTARTS as usize - 1);
        assert_eq!(outcome.alarms, 0);
    }

    async fn an_abort_by_somebody_else_is_not_heard(style: Style) {
        let outcome = attack(style, |wire| {
            let mut peer = wire.connect(9000);
            for tag in 0..500 {
                for flags in [0, T] {
                    let kill = [chunk(ABORT, flags, b"\0\x0c\0\x08kill")];
                    wire.send(&packet(9000, wire.port, peer.tag.wrapping_add(tag + 1), &kill));
                }
                let kill = [chunk(SHUTDOWN, 0, &peer.tsn.to_be_bytes())];
                wire.send(&packet(9000, wire.port, tag, &kill));
            }
            peer.message(0, b"alive");
            let nudge = peer.packet(&[chunk(4, 0, b"\0\x01\0\x08here")]);
            wire.ask(9000, &nudge, DATA);
            peer.abort();
        }).await;
        assert_eq!(outcome.heard, ["alive"]);
        assert_eq!(outcome.closed(), 1);
    }
}
