//! The table of metrics in the guide, against what is recorded and described.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};
use sctp_service::{
    client::ClientMetrics,
    layer::{AssociationMetrics, MetricsLayer, TransportMetrics},
};

const GUIDE: &str = include_str!("../../src/docs/observability.md");

/// A row: the kind and the unit of a metric, and its cell of labels.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    kind: String,
    unit: String,
    labels: String,
}

fn rows() -> BTreeMap<String, Row> {
    let rows = GUIDE.lines().filter_map(|line| {
        let line = line.strip_prefix("| `sctp_")?;
        let mut cells = line.split(" | ");
        let name = format!("sctp_{}", cells.next()?.trim_end_matches('`'));
        let (kind, unit) = (cells.next()?, cells.next()?);
        let row = Row {
            kind: kind.to_owned(),
            unit: unit.to_owned(),
            labels: cells.next()?.to_owned(),
        };
        Some((name, row))
    });
    rows.collect()
}

/// Panics unless the table has this metric with these labels, and their values where it lists them.
#[track_caller]
pub(crate) fn assert_has(key: &Key) {
    let rows = rows();
    let row = rows.get(key.name());
    let row = row.unwrap_or_else(|| panic!("{} is not in the table", key.name()));
    for label in key.labels() {
        let listed = row.labels.contains(&format!("`{}`", label.key()));
        assert!(listed, "no label {label:?} in {row:?}");
        // An address has no list of values.
        if !["peer", "path"].contains(&label.key()) {
            let listed = row.labels.contains(&format!("`{}`", label.value()));
            assert!(listed, "no value of {label:?} in {row:?}");
        }
    }
    if key.labels().len() == 0 {
        let optional = row.labels.is_empty() || row.labels.contains("on request");
        assert!(optional, "{} has labels: {row:?}", key.name());
    }
}

/// Records descriptions alone.
#[derive(Default)]
struct Descriptions(Mutex<BTreeMap<String, (&'static str, Option<Unit>)>>);

impl Descriptions {
    fn add(&self, kind: &'static str, name: &KeyName, unit: Option<Unit>) {
        let name = name.as_str().to_owned();
        self.0.lock().unwrap().insert(name, (kind, unit));
    }
}

impl Recorder for Descriptions {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.add("counter", &name, unit);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.add("gauge", &name, unit);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.add("histogram", &name, unit);
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn guide_lists_the_described_metrics() {
    let descriptions = Descriptions::default();
    with_local_recorder(&descriptions, || {
        let _ = MetricsLayer::new();
        let _ = AssociationMetrics::new();
        let _ = ClientMetrics::new();
        let _ = TransportMetrics::new();
    });
    let described = descriptions.0.into_inner().unwrap();
    let rows = rows();
    let names = |names: &mut dyn Iterator<Item = &String>| names.cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&mut rows.keys()), names(&mut described.keys()));
    for (name, row) in rows {
        let (kind, unit) = described[&name];
        let listed = match &*row.unit {
            "bytes" => Unit::Bytes,
            "seconds" => Unit::Seconds,
            _ => Unit::Count,
        };
        assert_eq!((&*row.kind, Some(listed)), (kind, unit), "{name}");
    }
}

/// Prometheus' conventions: <https://prometheus.io/docs/practices/naming/>.
#[test]
fn names_say_kind_and_unit() {
    for (name, row) in rows() {
        assert_eq!(row.kind == "counter", name.ends_with("_total"), "{name}");
        let base = name.trim_end_matches("_total");
        for unit in ["bytes", "seconds"] {
            let says = base.ends_with(&format!("_{unit}"));
            assert_eq!(row.unit == unit, says, "{name}");
        }
    }
}
