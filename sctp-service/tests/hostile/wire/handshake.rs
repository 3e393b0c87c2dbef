//! Before there is an association.

use std::time::Instant;

use super::{
    packet::{
        ABORT, BEGIN, COOKIE_ACK, COOKIE_ECHO, END, ERROR, SACK, SHUTDOWN, SHUTDOWN_ACK, chunk,
        chunk_of_length, data, init, packet,
    },
    *,
};

/// The number of packets of a flood.
const FLOOD: u16 = 3000;

both_styles! {
    async fn a_flood_of_inits_makes_no_association(style: Style) {
        let outcome = attack(style, |wire| {
            for port in 0..FLOOD {
                wire.send(&packet(10_000 + port, wire.port, 0, &[init(7, 65_535, 1, &[])]));
            }
        }).await;
        assert_eq!(outcome.came_up(), 1);
        assert_eq!(outcome.alarms, 0);
    }

    async fn cookies_that_are_garbage_make_no_association(style: Style) {
        let outcome = attack(style, |wire| {
            let mut rng = Rng::new(1);
            let (tag, cookie) = wire.cookie(9000, 5, 1);
            for port in 0..FLOOD {
                // A real one with a bit of it changed, or nothing like one.
                let forged = if port % 2 == 0 {
                    let mut forged = cookie.clone();
                    // Behind the signature; what follows the cookie is padding, which says nothing.
                    forged[40 + rng.below(60)] ^= 1 << rng.below(8);
                    forged
                } else {
                    let length = rng.below(1000);
                    rng.bytes(length)
                };
                wire.send(&packet(9000, wire.port, tag, &[chunk(COOKIE_ECHO, 0, &forged)]));
            }
        }).await;
        assert_eq!(outcome.came_up(), 1);
        assert_eq!(outcome.alarms, 0);
    }

    async fn a_cookie_makes_one_association_however_often_it_comes(style: Style) {
        let outcome = attack(style, |wire| {
            let (tag, cookie) = wire.cookie(9000, 5, 1000);
            let echo = packet(9000, wire.port, tag, &[chunk(COOKIE_ECHO, 0, &cookie)]);
            for _ in 0..200 {
                wire.ask(9000, &echo, COOKIE_ACK);
            }
            wire.send(&packet(9000, wire.port, tag, &[chunk(ABORT, 0, &[])]));
        }).await;
        assert_eq!((outcome.came_up(), outcome.closed()), (2, 1));
        assert_eq!(outcome.alarms, 0);
    }

    async fn a_cookie_that_is_too_old_is_refused(style: Style) {
        let outcome = attack(style, |wire| {
            let (tag, cookie) = wire.cookie(9000, 5, 1);
            let begun = Instant::now();
            let mut port = 9001;
            while begun.elapsed() < COOKIE_LIFE + Duration::from_millis(500) {
                wire.cookie(port, 5, 1);
                port += 1;
            }
            let echo = packet(9000, wire.port, tag, &[chunk(COOKIE_ECHO, 0, &cookie)]);
            let (_, cause) = wire.ask(9000, &echo, ERROR);
            assert_eq!(cause[..2], [0, 3], "not the cause `stale cookie`");
        }).await;
        assert_eq!(outcome.came_up(), 1);
    }

    async fn parameters_of_wrong_length_do_no_harm(style: Style) {
        let outcome = attack(style, |wire| {
            let mut rng = Rng::new(2);
            for port in 0..FLOOD {
                let mut parameters = Vec::new();
                for _ in 0..rng.below(5) {
                    // Known kinds and others, short and long, of the length they say and not.
                    let kinds = [5, 6, 7, 8, 9, 11, 12, 0x8000, 0x8002, 0x8003, 0x8004, 0x8008, 0xc000, 0xc004];
                    let kind: u16 = if rng.below(4) == 0 { u16::from(rng.byte()) << 8 } else { kinds[rng.below(kinds.len())] };
                    let value = rng.below(40);
                    let says = if rng.below(2) == 0 { value + 4 } else { rng.below(100) };
                    parameters.extend(kind.to_be_bytes());
                    parameters.extend(u16::try_from(says).unwrap().to_be_bytes());
                    parameters.extend(rng.bytes(value));
                }
                let mut question = init(5, 10, 1, &parameters);
                if rng.below(4) == 0 {
                    question.truncate(4 + rng.below(question.len() - 4));
                }
                wire.send(&packet(10_000 + port, wire.port, 0, &[question]));
            }
        }).await;
        assert_eq!(outcome.came_up(), 1);
        assert_eq!(outcome.alarms, 0);
    }

    async fn packets_out_of_the_blue(style: Style) {
        let outcome = attack(style, |wire| {
            let mut rng = Rng::new(3);
            let chunks = [
                data(BEGIN | END, 1, 0, 0, b"out of the blue"),
                chunk(SACK, 0, &[0; 12]),
                chunk(SHUTDOWN, 0, &[0; 4]),
                chunk(SHUTDOWN_ACK, 0, &[]),
                chunk(ABORT, 0, &[]),
                chunk(COOKIE_ACK, 0, &[]),
                chunk(ERROR, 0, &[]),
                chunk_of_length(0xff, 0, 0, &[]),
            ];
            for port in 0..FLOOD {
                let each = chunks[rng.below(chunks.len())].clone();
                let tag = u32::try_from(rng.below(1 << 32)).unwrap();
                wire.send(&packet(10_000 + port, wire.port, tag, &[each]));
            }
        }).await;
        assert_eq!(outcome.came_up(), 1);
        assert!(outcome.heard.is_empty());
        assert_eq!(outcome.alarms, 0);
    }
}
