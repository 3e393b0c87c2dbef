//! osmo-stp: a signal transfer point of SS7, at either side of M3UA.

use std::fs;

use super::{
    netns::NetNs,
    spawn_in,
    support::{Program, m3ua::m3ua},
    table::proved,
};

fn m3ua_in(namespace: &NetNs, args: &[&str]) -> Program {
    Program::spawn(namespace.command(&m3ua(args)))
}

/// Its configuration begins like this.
const BEGINNING: &str = "\
log stderr
 logging filter all 1
 logging color 0
 logging level set-all notice
line vty
 no login
cs7 instance 0
";

/// Starts it, and waits until it listens.
fn osmo_stp_in(namespace: &NetNs, name: &str, config: &str, port: u16) -> Program {
    let file = format!("/dev/shm/osmo-stp-{name}-{}.cfg", std::process::id());
    fs::write(&file, format!("{BEGINNING}{config}")).unwrap();
    let stp = spawn_in(namespace, "osmo-stp", &["-c", &file]);
    stp.wait_for("net/sctp/eps", &format!(" {port} "));
    fs::remove_file(&file).unwrap();
    stp
}

/// The configuration of an application server at osmo-stp, with the address that it connects from.
fn application_server(name: &str, from: u16, port: u16, context: u32, pc: &str) -> String {
    format!(
        " asp asp-{name} {from} {port} m3ua
  local-ip 127.0.0.1
  remote-ip 127.0.0.1
  role sg
  sctp-role server
 as as-{name} m3ua
  asp asp-{name}
  routing-key {context} {pc}
"
    )
}

fn asp<'a>(connect: &'a str, local: &'a str, context: &'a str, pc: &'a str) -> Vec<&'a str> {
    vec![
        "asp",
        "--connect",
        connect,
        "--local",
        local,
        "--routing-context",
        context,
        "--pc",
        pc,
    ]
}

#[track_caller]
fn leaves(asp: &mut Program) {
    asp.terminate();
    asp.exits_with(0);
    for line in ["inactive", "down", "closed: shut down"] {
        asp.stdout.find(line);
    }
}

#[test]
fn osmo_stp_passes_data_between_our_application_servers() {
    let namespace = NetNs::new();
    let config = [
        " listen m3ua 2905\n  local-ip 127.0.0.1\n",
        &application_server("1", 30001, 2905, 10, "0.0.1"),
        &application_server("2", 30002, 2905, 20, "0.0.2"),
        " route-table system
  update route 0.0.1 7.255.7 linkset as-1
  update route 0.0.2 7.255.7 linkset as-2
",
    ];
    let _stp = osmo_stp_in(&namespace, "stp", &config.concat(), 2905);
    let gateway = "127.0.0.1:2905";
    let args = asp(gateway, "127.0.0.1:30001", "10", "1");
    let mut first = m3ua_in(&namespace, &args);
    first.stdout.find("active");
    let mut args = asp(gateway, "127.0.0.1:30002", "20", "2");
    args.extend(["--beat", "0.1", "--send", "1:hello"]);
    let mut second = m3ua_in(&namespace, &args);
    second.stdout.find("active");
    first.stdout.find("data from 2: hello");
    second.stdout.find("heartbeat answered");
    leaves(&mut second);
    leaves(&mut first);
    proved(
        osmo_stp_passes_data_between_our_application_servers,
        &[(
            "osmo-stp",
            "server",
            "takes two application servers of ours up and active, passes data from one to the other, answers heartbeats, and lets them go inactive and down",
        )],
    );
}

#[test]
fn osmo_stp_is_an_application_server_of_our_gateway() {
    let namespace = NetNs::new();
    let gateway = "127.0.0.1:2905";
    let routes = ["--route", "1:30", "--route", "2:20"];
    let args = [&["sgp", "--listen", gateway][..], &routes].concat();
    let mut sgp = m3ua_in(&namespace, &args);
    sgp.stdout.find("listening on");
    let config = [
        " point-code 0.0.5
 asp asp-up 2905 30005 m3ua
  local-ip 127.0.0.1
  remote-ip 127.0.0.1
  role asp
  sctp-role client
 as as-up m3ua
  asp asp-up
  routing-key 30 0.0.1
 listen m3ua 2906
  local-ip 127.0.0.1
",
        &application_server("1", 30001, 2906, 10, "0.0.1"),
        " route-table system
  update route 0.0.1 7.255.7 linkset as-1
  update route 0.0.2 7.255.7 linkset as-up
",
    ];
    let _stp = osmo_stp_in(&namespace, "asp", &config.concat(), 2906);
    sgp.stdout.find("active 127.0.0.1:30005: 30");
    let args = asp(gateway, "127.0.0.1:30002", "20", "2");
    let mut second = m3ua_in(&namespace, &args);
    second.stdout.find("active");
    let mut args = asp("127.0.0.1:2906", "127.0.0.1:30001", "10", "1");
    args.extend(["--send", "2:through two gateways"]);
    let mut first = m3ua_in(&namespace, &args);
    second.stdout.find("data from 1: through two gateways");
    leaves(&mut second);
    // And in the other direction.
    let mut args = asp(gateway, "127.0.0.1:30003", "20", "2");
    args.extend(["--send", "1:and back"]);
    let _again = m3ua_in(&namespace, &args);
    first.stdout.find("data from 2: and back");
    proved(
        osmo_stp_is_an_application_server_of_our_gateway,
        &[(
            "osmo-stp",
            "client",
            "comes up and active at our signalling gateway, sends data through it to an application server of ours, and passes on what comes back",
        )],
    );
}
