//! Tests of the picture: well-formed, and values where they belong.

use super::*;

fn outcome(points: &[(u64, u64)]) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.settings.server = vec!["[::1]:7 <&\">".to_owned()];
    outcome.series = (1u32..)
        .zip(points)
        .map(|(second, (answered, p50))| Point {
            at: second.into(),
            seconds: 1.0,
            measured: second > 1,
            answered: *answered,
            p50: *p50,
            p90: p50 * 2,
            p99: p50 * 4,
            p999: p50 * 8,
            max: p50 * 10,
            ..Point::default()
        })
        .collect();
    outcome
}

/// Checks that tags nest and close, attributes are quoted, and nothing is left unescaped.
#[track_caller]
fn check_xml(svg: &str) {
    let mut open = Vec::new();
    let mut rest = svg;
    while let Some(begin) = rest.find('<') {
        let text = &rest[..begin];
        assert!(!text.contains('>'), "{text:?}");
        for (at, _) in text.match_indices('&') {
            let entity = &text[at..];
            let known = ["&amp;", "&lt;", "&gt;", "&quot;"];
            assert!(
                known.iter().any(|known| entity.starts_with(known)),
                "{entity}"
            );
        }
        let end = begin + rest[begin..].find('>').unwrap();
        let tag = &rest[begin + 1..end];
        assert!(!tag.contains('<'), "{tag}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = |tag: &str| tag.split([' ', '/']).next().unwrap().to_owned();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed.to_owned()));
        } else if !tag.ends_with('/') {
            open.push(name(tag));
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "{open:?}");
    assert_eq!(rest.trim(), "");
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

/// The points of a curve.
fn curve(svg: &str, name: &str) -> Vec<(f64, f64)> {
    let group = svg.split(&format!("<g id=\"{name}\"")).nth(1).unwrap();
    let path = group
        .split("d=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let pairs = path.split(['M', 'L']).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once(' ').unwrap())
        .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
        .collect()
}

#[track_caller]
fn close(one: f64, other: f64) {
    assert!((one - other).abs() <= 0.11, "{one} is not {other}");
}

#[test]
fn plot_is_well_formed() {
    let many: Vec<_> = (0..1000).map(|n| (n * 10, 1000 + n)).collect();
    for points in [
        &[][..],
        &[(0, 0)],
        &[(10, 1000)],
        &[(10, 1000), (0, 0), (5, 500)],
        &many,
    ] {
        check_xml(&svg(&outcome(points)));
    }
}

#[test]
fn values_lie_where_the_axes_say() {
    let svg = svg(&outcome(&[
        (100, 100_000),
        (50, 200_000),
        (0, 0),
        (100, 100_000),
    ]));
    let (top, bottom) = THROUGHPUT;
    let answered = curve(&svg, "answered");
    let width = (RIGHT - LEFT) / 4.0;
    for (index, (calls, (x, y))) in [100.0, 50.0, 0.0, 100.0]
        .into_iter()
        .zip(answered)
        .enumerate()
    {
        close(x, LEFT + width * (index as f64 + 0.5));
        close(y, bottom - (bottom - top) * calls / 100.0);
    }
    // From 100 µs, the least, to 2 ms, the most.
    let (top, bottom) = LATENCY;
    let place = |micros: f64| bottom - (bottom - top) * (micros / 100.0).ln() / 20f64.ln();
    let p50 = curve(&svg, "p50");
    assert_eq!(
        p50.len(),
        3,
        "no latency is known where nothing was answered"
    );
    close(p50[0].1, place(100.0));
    close(p50[1].1, place(200.0));
    close(curve(&svg, "max")[1].1, place(2000.0));
    close(curve(&svg, "p99")[0].1, place(400.0));
}

#[test]
fn failures_are_drawn_if_there_are_any() {
    let mut outcome = outcome(&[(10, 1000), (10, 1000)]);
    assert!(!svg(&outcome).contains("id=\"failed\""));
    outcome.series[1].failed = 10;
    let svg = svg(&outcome);
    let failed = curve(&svg, "failed");
    close(failed[0].1, THROUGHPUT.1);
    close(failed[1].1, THROUGHPUT.0);
}
