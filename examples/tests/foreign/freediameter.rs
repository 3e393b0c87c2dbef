//! freeDiameterd: another implementation of Diameter's base protocol. Debian's package has no
//! application, so it relays those of our nodes.

use std::{fs, path::PathBuf, process::Command};

use super::{
    fetched,
    netns::NetNs,
    spawn_in,
    support::{Program, Server},
    table::proved,
};

/// Its address and those of our nodes. It takes no loopback address.
const THEIRS: &str = "10.99.0.1";
const OURS: [&str; 2] = ["10.99.0.2", "10.99.0.3"];

/// A namespace with these addresses.
fn namespace() -> NetNs {
    let namespace = NetNs::new();
    for addr in OURS.iter().chain(&[THEIRS]) {
        namespace.ip(&format!("addr add {addr}/32 dev lo"));
    }
    namespace
}

/// A folder with its configuration, which goes when the test does.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = format!("/dev/shm/freediameter-{name}-{}", std::process::id());
        fs::create_dir_all(&folder).unwrap();
        Self(folder.into())
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// Writes the configuration. It wants a certificate, although nothing here uses TLS.
    fn configure(&self, connect: &str) -> String {
        let (key, certificate) = (self.file("key.pem"), self.file("certificate.pem"));
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ]);
        openssl.args([
            "-subj",
            "/CN=relay.example",
            "-keyout",
            &key,
            "-out",
            &certificate,
        ]);
        let made = openssl.output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let allowed = self.file("allowed.conf");
        fs::write(&allowed, "ALLOW_IPSEC *.example\n").unwrap();
        let extension = fetched("root/usr/lib/freeDiameter/acl_wl.fdx");
        let extension = extension.display();
        let config = format!(
            r#"Identity = "relay.example";
Realm = "example";
SecPort = 0;
No_IPv6;
No_TCP;
ListenOn = "{THEIRS}";
TwTimer = 6;
TLS_Cred = "{certificate}", "{key}";
TLS_CA = "{certificate}";
LoadExtension = "{extension}" : "{allowed}";
{connect}
"#
        );
        let file = self.file("freeDiameter.conf");
        fs::write(&file, config).unwrap();
        file
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It is in memory, and small.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn relay_in(namespace: &NetNs, config: &str) -> Program {
    let mut relay = spawn_in(namespace, "freeDiameterd", &["-c", config]);
    relay.stdout.find("freeDiameterd daemon initialized");
    relay
}

fn node_in(namespace: &NetNs, identity: &str, args: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_diameter"));
    command.args(["--identity", identity, "--realm", "example"]);
    command.args(args);
    Program::spawn(namespace.command(&command))
}

#[test]
fn freediameter_relays_between_our_nodes() {
    let namespace = namespace();
    let folder = Folder::new("relay");
    let relay = relay_in(&namespace, &folder.configure(""));
    let [mut a, mut b] = [("a.example", OURS[0]), ("b.example", OURS[1])].map(|(name, local)| {
        let args = ["--peer", THEIRS, "--local", local, "--watchdog", "6"];
        let ask = ["--ask", "10", "--burst", "1000"];
        node_in(&namespace, name, &[&args[..], &ask].concat())
    });
    for node in [&mut a, &mut b] {
        node.stdout.find("open relay.example (initiator)");
    }
    // What is asked before both are there has nobody to go to.
    for node in [&mut a, &mut b] {
        node.stdout.find("asked by relay.example: 271");
        for _ in 0..1000 {
            node.stdout.find("relay.example answers 271: 2001");
        }
    }
    for node in [&mut a, &mut b] {
        node.terminate();
        node.exits_with(0);
        node.stdout
            .find("closed relay.example: disconnected REBOOTING");
    }
    drop(relay);
    proved(
        freediameter_relays_between_our_nodes,
        &[(
            "freediameterd",
            "server",
            "exchanges capabilities with two nodes of ours, relays a thousand accounting requests at once in each direction, and answers their goodbye",
        )],
    );
}

#[test]
fn freediameter_connects_to_our_node() {
    let namespace = namespace();
    let folder = Folder::new("peer");
    let listen = format!("{}:0", OURS[0]);
    let args = ["--listen", &listen, "--watchdog", "1"];
    let mut node = Server::of(node_in(&namespace, "a.example", &args));
    let connect = format!(
        r#"ConnectPeer = "a.example" {{ ConnectTo = "{}"; Port = {}; No_TLS; TcTimer = 1; }};"#,
        OURS[0],
        node.port()
    );
    let config = folder.configure(&connect);
    // Its goodbye.
    let relay = relay_in(&namespace, &config);
    node.program.stdout.find("open relay.example (responder)");
    relay.terminate();
    node.program
        .stdout
        .find("closed relay.example: disconnected REBOOTING");
    drop(relay);
    // Its sudden end: the kernel of a process that is killed ends its associations in order.
    let relay = relay_in(&namespace, &config);
    node.program.stdout.find("open relay.example (responder)");
    relay.signal("KILL");
    node.program.stdout.find("closed relay.example: shutdown");
    drop(relay);
    // An abort of ours, since it does not answer the watchdog. It connects again.
    let relay = relay_in(&namespace, &config);
    node.program.stdout.find("watchdog relay.example answered");
    relay.signal("STOP");
    node.program
        .stdout
        .find("closed relay.example: aborted no watchdog answer");
    relay.signal("CONT");
    node.program.stdout.find("open relay.example (responder)");
    node.program.terminate();
    node.program.exits_with(0);
    node.program
        .stdout
        .find("closed relay.example: disconnected REBOOTING");
    proved(
        freediameter_connects_to_our_node,
        &[(
            "freediameterd",
            "client",
            "exchanges capabilities with our node, and answers its watchdog; our node hears its goodbye and its sudden end, and aborts it when it does not answer a watchdog; it connects again, and answers our goodbye",
        )],
    );
}
