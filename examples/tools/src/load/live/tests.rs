//! Tests of the display.

use clap::Parser;

use super::*;
use crate::load::args::CommandLine;

#[test]
fn bar_fills_up() {
    assert_eq!(bar(0.0), ".".repeat(BAR));
    assert_eq!(bar(0.5), "#".repeat(BAR / 2) + &".".repeat(BAR / 2));
    assert_eq!(bar(1.5), "#".repeat(BAR));
    assert_eq!(bar(f64::NAN), ".".repeat(BAR));
}

#[test]
fn display_replaces_itself_and_goes_away() {
    let load = CommandLine::parse_from(["sctp load", "h:1"]).load;
    let mut live = Live::new(&load);
    let lines = ["one".to_owned(), "two".to_owned()];
    let first = live.frame(&lines);
    assert_eq!(first, "\x1b[?7lone\x1b[K\ntwo\x1b[K\n\x1b[J\x1b[?7h");
    assert!(live.frame(&lines[..1]).starts_with("\x1b[2A\r\x1b[?7lone"));
    assert_eq!(live.first_line(), "\x1b[1A\r");
}

#[test]
fn run_that_is_interrupted_early_can_be_drawn() {
    let load = CommandLine::parse_from(["sctp load", "h:1"]).load;
    let mut live = Live::new(&load);
    let stats = Stats::new(1).unwrap();
    let phases = Phases {
        go: 0,
        measure: 2_000_000_000,
        end: 1_000_000_000,
        cut: 3_000_000_000,
        interrupted: true,
    };
    for now in [0, 1_500_000_000, 2_500_000_000] {
        let headline = live.headline(now, &phases, &Counts::default());
        assert!(headline.starts_with("sctp load h:1  "), "{headline}");
        live.draw(now, &stats, &phases, None);
    }
}

#[test]
fn phases_have_names() {
    let mut phases = Phases::UNKNOWN;
    assert_eq!(phase(&phases, 0), "connecting");
    phases.go = 0;
    assert_eq!(phase(&phases, 1), "ramping up");
    phases.measure = 10;
    assert_eq!(phase(&phases, 1), "warming up");
    phases.end = 20;
    assert_eq!(phase(&phases, 10), "measuring");
    assert_eq!(phase(&phases, 20), "finishing");
}

#[test]
fn commonest_causes_are_shown() {
    let mut found = Causes::default();
    for (cause, count) in [("a", 1), ("b", 5), ("c", 2), ("d", 3), ("e", 4)] {
        found.add(cause, count);
    }
    let lines = causes("lost", &found);
    assert_eq!(lines.len(), CAUSES + 1);
    assert_eq!(lines[0], "lost          5 x b");
    assert!(lines[CAUSES].contains("other causes"));
}
