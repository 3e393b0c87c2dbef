//! Echo over loopback: our servers against what a user would write or take instead, with one
//! client, in one process tree, on one kernel. ../README.md says how to run it, and what each
//! server is.
#![forbid(unsafe_code)]

mod arena;
mod args;
mod contestants;
mod host;
mod memory;
mod one_task;
mod picture;
mod report;
mod scale;
#[path = "../../../sctp-tokio/benches/servers/mod.rs"]
mod servers;
mod smp;
#[path = "../../../sctp-service/benches/stacks/mod.rs"]
mod stacks;
#[path = "../../../sctp-tokio/benches/support/mod.rs"]
mod support;
mod targets;
mod tcp;

use std::{alloc::System, env, error::Error, fs, path::PathBuf};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::{
    arena::Arena,
    args::{Args, Mode},
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    if let [flag, role, port] = &words[..]
        && flag == "--serve"
    {
        return Ok(host::serve(role, port.parse()?)?);
    }
    let Some(args) = Args::parse(&words)? else {
        print!("{}", args::HELP);
        return Ok(());
    };
    support::make_room()?;
    let heading = report::heading(&args);
    println!("\n{heading}\n");
    let mut arena = Arena::start(&args)?;
    match args.mode {
        Mode::Designs => designs(&mut arena, &heading)?,
        Mode::Scale => scale::run(&args, &mut arena, &heading)?,
        Mode::Smp => smp::run(&mut arena, &heading)?,
        Mode::Table => table(&args, &mut arena, &heading)?,
    }
    println!("\nIt took {} s.", arena.took().as_secs());
    let failures = arena.failures();
    for failure in failures {
        println!("FAILED {failure}");
    }
    match failures.len() {
        0 => Ok(()),
        count => Err(format!("{count} measurements failed, see above").into()),
    }
}

fn table(args: &Args, arena: &mut Arena, heading: &str) -> Result<(), Box<dyn Error>> {
    let figures = arena.measure_all();
    let memory = arena.memory();
    let verdicts = targets::judge(&figures, &memory);
    let text = [
        report::table(&figures),
        report::ratios(&figures),
        report::memory(&memory, args.idle),
        targets::text(&verdicts),
    ]
    .join("\n");
    print!("{text}");
    let json = report::json(heading, &figures, &memory, &verdicts)?;
    save("echo", &format!("{heading}\n\n{text}"), &json)?;
    draw("echo", &picture::bars(heading, &figures))?;
    draw("latency", &picture::latencies(heading, &figures))
}

/// The same servers, run in different ways.
fn designs(arena: &mut Arena, heading: &str) -> Result<(), Box<dyn Error>> {
    let figures = arena.measure_all();
    let text = report::table(&figures);
    print!("{text}");
    let json = report::json(heading, &figures, &[], &[])?;
    save("designs", &format!("{heading}\n\n{text}"), &json)
}

/// Writes what was printed, and the same for programs.
fn save(name: &str, text: &str, json: &str) -> Result<(), Box<dyn Error>> {
    let folder = folder()?;
    fs::write(folder.join(name).with_extension("md"), text)?;
    fs::write(folder.join(name).with_extension("json"), json)?;
    println!("\nalso in {}/{name}.md, .json", folder.display());
    Ok(())
}

fn draw(name: &str, svg: &str) -> Result<(), Box<dyn Error>> {
    let path = folder()?.join(name).with_extension("svg");
    fs::write(&path, svg)?;
    println!("drawn in {}", path.display());
    Ok(())
}

/// Folder of the results.
fn folder() -> std::io::Result<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("echo");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
