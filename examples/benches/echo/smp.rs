//! From one processor to two: each run is written down, and compared with the one before it on
//! another number of processors.

use std::{error::Error, fs};

use serde_json::Value;

use crate::{arena::Arena, draw, folder, picture, report, save, support::table};

pub(crate) fn run(arena: &mut Arena, heading: &str) -> Result<(), Box<dyn Error>> {
    let figures = arena.measure_all();
    let text = report::table(&figures);
    print!("{text}");
    let json = report::json(heading, &figures, &[], &[])?;
    let name = format!("smp-{}", report::processors());
    save(&name, &format!("{heading}\n\n{text}"), &json)?;
    draw(&name, &picture::bars(heading, &figures))?;
    let runs = [1, 2].map(earlier);
    let [Some(one), Some(two)] = runs else {
        println!("\nRun it with the other number of processors as well, to see them compared.");
        return Ok(());
    };
    let text = compare(&one, &two);
    print!("\n{text}");
    fs::write(folder()?.join("smp.md"), &text)?;
    println!("\nalso in {}/smp.md", folder()?.display());
    Ok(())
}

/// The last run with this number of processors.
fn earlier(processors: usize) -> Option<Value> {
    let path = folder().ok()?.join(format!("smp-{processors}.json"));
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

/// A row for each server and load that both runs have.
fn compare(one: &Value, two: &Value) -> String {
    let heading = [
        "server",
        "associations",
        "in flight",
        "bytes",
        "1 processor",
        "2 processors",
        "ratio",
        "server's CPU/message, 1",
        "2",
    ];
    let rows: Vec<Vec<String>> = figures(one)
        .filter_map(|first| {
            let second = figures(two).find(|second| same(first, second))?;
            let number = |value: &Value, key: &str| value[key].as_f64();
            let rate = number(first, "messages_per_second")?;
            let other = number(second, "messages_per_second")?;
            let cpu = |value| {
                let cpu = number(value, "cpu_ns_per_message");
                cpu.map_or("-".to_owned(), |cpu| format!("{:.1} µs", cpu / 1e3))
            };
            Some(vec![
                first["server"].as_str()?.to_owned(),
                first["associations"].to_string(),
                first["in_flight"].to_string(),
                first["bytes"].to_string(),
                format!("{rate:.0}"),
                format!("{other:.0}"),
                format!("{:.2}", other / rate),
                cpu(first),
                cpu(second),
            ])
        })
        .collect();
    let headings = [one, two].map(|run| run["heading"].as_str().unwrap_or_default());
    format!(
        "Messages/s on one processor and on two, the client included:\n\n- {}\n- {}\n\n{}",
        headings[0],
        headings[1],
        table::format(&heading, &rows)
    )
}

fn figures(run: &Value) -> impl Iterator<Item = &Value> {
    run["figures"].as_array().into_iter().flatten()
}

fn same(one: &Value, other: &Value) -> bool {
    let keys = ["server", "associations", "in_flight", "bytes"];
    keys.iter().all(|key| one[key] == other[key])
}
