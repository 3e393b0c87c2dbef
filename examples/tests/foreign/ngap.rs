//! tshark decodes what our gNB and our AMF say to each other.

use std::process::Command;

use super::{
    netns::NetNs,
    spawn,
    support::{Program, Server},
    table::proved,
    tshark::capture,
};

fn ngap_in(namespace: &NetNs, args: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ngap"));
    command.args(args);
    Program::spawn(namespace.command(&command))
}

#[test]
fn tshark_decodes_ng_setup_and_registrations() {
    let namespace = NetNs::new();
    let file = format!("/dev/shm/ngap-{}.pcap", std::process::id());
    let mut tcpdump = capture(&namespace, &file);
    let listen = ["amf", "--listen", "127.0.0.1:38412"];
    let amf = Server::of(ngap_in(&namespace, &listen));
    for (plmn, status) in [("208-93", 0), ("001-01", 1)] {
        let args = ["gnb", "--connect", amf.addr(), "--ues", "2", "--plmn", plmn];
        let mut gnb = ngap_in(&namespace, &args);
        gnb.exits_with(status);
        tcpdump.stdout.find("[SHUTDOWN COMPLETE]");
    }
    tcpdump.terminate();
    tcpdump.exits_with(0);

    let mut tshark = spawn(
        "tshark",
        &[
            "-n",
            "-r",
            &file,
            "-Y",
            "ngap",
            "-T",
            "fields",
            "-e",
            "sctp.data_payload_proto_id",
            "-e",
            "sctp.data_sid",
            "-e",
            "_ws.col.Info",
        ],
    );
    tshark.exits_with(0);
    std::fs::remove_file(&file).unwrap();
    let mut decoded = Vec::new();
    for line in tshark.stdout.text().lines() {
        let [ppids, streams, info] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        assert!(ppids.split(',').all(|ppid| ppid == "60"), "{line}");
        assert!(!info.contains("Malformed"), "{line}");
        decoded.push(format!("{streams} {info}"));
    }
    let decoded = decoded.join("\n");
    for expected in [
        "0x0000 NGSetupRequest",
        "0x0000 NGSetupResponse",
        "InitialUEMessage, Registration request",
        "DownlinkNASTransport, Registration reject (Congestion)",
        "UEContextReleaseCommand",
        "UEContextReleaseComplete",
        "0x0000 NGSetupFailure",
    ] {
        assert!(decoded.contains(expected), "no {expected:?} in\n{decoded}");
    }
    proved(
        tshark_decodes_ng_setup_and_registrations,
        &[(
            "tshark",
            "decoder",
            "NG Setup of our gNB and AMF on stream 0, its failure for another network, and registrations, with PPID 60",
        )],
    );
}
