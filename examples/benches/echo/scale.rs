//! From one association to ten thousand.

use std::{error::Error, fs};

use crate::{
    arena::{Arena, Figures},
    args::Args,
    contestants::SERVE,
    folder, picture, report,
    support::{Case, table},
};

pub(crate) fn run(args: &Args, arena: &mut Arena, heading: &str) -> Result<(), Box<dyn Error>> {
    let mut figures = Vec::new();
    for case in &args.cases {
        figures.extend(arena.measure(*case));
    }
    let memory = arena.memory(args.idle)?;
    let mut text = costs(&figures, &args.cases);
    text += &format!(
        "\nMemory of the server's process for an idle association, over {}:\n\n",
        args.idle
    );
    for (server, bytes) in &memory {
        text += &format!("- {server}: {bytes:.0} B\n");
    }
    if let Some(case) = args.cases.last()
        && let Some([connecting, draining]) = arena.drain(SERVE, *case)?
    {
        text += &format!(
            "\n`{SERVE}`, {} associations: all up in {}, each echoed, and all shut down in order \
             {} after SIGTERM.\n",
            case.associations,
            report::time(connecting),
            report::time(draining)
        );
    }
    print!("{text}");
    let folder = folder()?;
    fs::write(folder.join("scale.md"), format!("{heading}\n\n{text}"))?;
    fs::write(
        folder.join("scale.json"),
        report::json(heading, &figures, &memory)?,
    )?;
    fs::write(folder.join("scale.svg"), picture::scale(heading, &figures))?;
    println!("\nalso in {}/scale.md, .json, .svg", folder.display());
    Ok(())
}

/// A row for each server and number of associations, with the cost of a message as a ratio to
/// that of the first.
fn costs(figures: &[Figures], cases: &[Case]) -> String {
    let heading = [
        "server",
        "associations",
        "messages/s",
        "time/message",
        "/ first",
        "server's CPU/message",
        "calls/message",
        "p99",
        "connecting",
    ];
    let mut rows = Vec::new();
    let mut servers: Vec<&str> = figures.iter().map(|one| one.server).collect();
    servers.truncate(figures.len() / cases.len().max(1));
    for server in servers {
        let mut first = None;
        for one in figures.iter().filter(|one| one.server == server) {
            let mut row = vec![server.to_owned(), one.case.associations.to_string()];
            match &one.medians {
                Ok(medians) => {
                    let first = *first.get_or_insert(medians.rate);
                    row.extend([
                        format!("{:.0}", medians.rate),
                        format!("{:.1} µs", 1e6 / medians.rate),
                        format!("{:.2}", first / medians.rate),
                        format!("{:.1} µs", medians.cpu / 1e3),
                        format!("{:.2}", medians.calls),
                        report::time(medians.latency[1]),
                        report::time(medians.connecting),
                    ]);
                }
                Err(why) => row.push(why.clone()),
            }
            row.resize(heading.len(), "-".to_owned());
            rows.push(row);
        }
    }
    table::format(&heading, &rows)
}
