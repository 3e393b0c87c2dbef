//! TLS by OpenSSL: ncat and Python with our client and server, which authenticate each other.

use std::{fs, path::PathBuf, process::Command};

use super::{
    NetNs, fetched, spawn, spawn_in,
    support::{Program, Server},
    table::proved,
};

/// Certificates of an authority, in a folder of the test's own.
struct Certificates(PathBuf);

impl Certificates {
    fn new(test: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{test}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            folder.join("cnf"),
            "[req]\ndistinguished_name = name\n[name]\n",
        )
        .unwrap();
        let authority = Self(folder);
        for name in ["ca", "stranger-ca"] {
            authority.make(name, "critical,CA:TRUE", None);
        }
        for (name, by) in [
            ("server", "ca"),
            ("client", "ca"),
            ("stranger", "stranger-ca"),
        ] {
            authority.make(name, "CA:FALSE", Some(by));
        }
        authority
    }

    fn make(&self, name: &str, constraints: &str, by: Option<&str>) {
        let mut openssl = Command::new(fetched("sbin/openssl"));
        openssl.env("LD_LIBRARY_PATH", fetched("lib"));
        openssl.args(["req", "-x509", "-config", &self.file("cnf")]);
        openssl.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        openssl.args(["-nodes", "-days", "2", "-subj", &format!("/CN={name}")]);
        openssl.args(["-addext", "subjectAltName=DNS:localhost"]);
        openssl.args(["-addext", &format!("basicConstraints={constraints}")]);
        openssl.args(["-out", &self.cert(name), "-keyout", &self.key(name)]);
        if let Some(by) = by {
            openssl.args(["-CA", &self.cert(by), "-CAkey", &self.key(by)]);
        }
        let output = openssl.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn cert(&self, name: &str) -> String {
        self.file(&format!("{name}.pem"))
    }

    fn key(&self, name: &str) -> String {
        self.file(&format!("{name}.key"))
    }

    /// Our program with the certificate of this name, which trusts an authority.
    fn program(&self, role: &str, name: &str, authority: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tls"));
        command.args([role, "--cert", &self.cert(name), "--key", &self.key(name)]);
        command.args(["--ca", &self.cert(authority)]);
        command
    }

    fn server(&self) -> Server {
        let mut command = self.program("serve", "server", "ca");
        command.args(["--listen", "127.0.0.1:0"]);
        Server::of(Program::spawn(command))
    }

    fn client(&self, name: &str, authority: &str, server: &str) -> Command {
        let mut command = self.program("connect", name, authority);
        command.args([server, "--name", "localhost"]);
        command
    }

    /// A program in Python with the paths of the certificates.
    fn python(&self, program: &str) -> String {
        format!(
            "
import socket, ssl, sys
ca, cert, key = {:?}, {:?}, {:?}
{program}",
            self.cert("ca"),
            self.cert("client"),
            self.key("client"),
        )
    }
}

/// Echoes two lines, and ends.
#[track_caller]
fn talks(client: &mut Program) {
    for text in ["one", "two"] {
        client.line(text);
        assert_eq!(client.stdout.next(), text);
    }
    client.end_of_input();
    client.exits_with(0);
}

#[test]
fn tls_client_and_server_authenticate_each_other() {
    let certificates = Certificates::new("own");
    let mut server = certificates.server();
    let mut client = Program::spawn(certificates.client("client", "ca", server.addr()));
    talks(&mut client);
    let line = server.program.stdout.next();
    assert!(line.ends_with(": 8 bytes returned"), "{line}");

    // Each end refuses a certificate of another authority.
    let mut stranger = Program::spawn(certificates.client("stranger", "ca", server.addr()));
    stranger.line("let me in");
    stranger.exits_with(1);
    let line = server.program.stdout.next();
    assert!(line.contains("UnknownIssuer"), "{line}");

    let suspicious = certificates.client("client", "stranger-ca", server.addr());
    let mut suspicious = Program::spawn(suspicious);
    suspicious.exits_with(1);
    let text = suspicious.stderr.text();
    assert!(text.contains("UnknownIssuer"), "{text}");
}

#[test]
fn ncat_speaks_tls_with_our_server() {
    let certificates = Certificates::new("ncat-client");
    let mut server = certificates.server();
    let (cert, key) = (certificates.cert("client"), certificates.key("client"));
    let authority = certificates.cert("ca");
    let verify = ["--ssl-verify", "--ssl-trustfile", &authority];
    let identity = ["--ssl-cert", &cert, "--ssl-key", &key];
    let port = server.port().to_owned();
    let to = ["-4", "localhost", &port];
    let args = [&["--sctp", "--ssl"], &verify[..], &identity, &to].concat();
    let mut ncat = spawn("ncat", &args);
    talks(&mut ncat);
    // ncat leaves without a close_notify, which could be an attacker's doing.
    let line = server.program.stdout.next();
    assert!(line.contains("close_notify"), "{line}");

    let args = [&["--sctp", "--ssl"], &verify[..], &to].concat();
    let mut anonymous = spawn("ncat", &args);
    anonymous.line("who am I");
    let line = server.program.stdout.next();
    assert!(line.contains("peer sent no certificates"), "{line}");
    proved(
        ncat_speaks_tls_with_our_server,
        &[(
            "ncat",
            "client",
            "TLS 1.3 with certificates of both ends; without one it is refused",
        )],
    );
}

#[test]
fn our_client_speaks_tls_with_ncat() {
    let certificates = Certificates::new("ncat-server");
    let namespace = NetNs::new();
    let (cert, key) = (certificates.cert("server"), certificates.key("server"));
    let identity = ["--ssl-cert", &cert, "--ssl-key", &key];
    let serve = ["-vkl", "127.0.0.1", "6001", "--exec", "/bin/cat"];
    let args = [&["--sctp", "--ssl"], &identity[..], &serve].concat();
    let mut ncat = spawn_in(&namespace, "ncat", &args);
    ncat.stderr.find("Listening on 127.0.0.1:6001");
    let client = certificates.client("client", "ca", "127.0.0.1:6001");
    let mut client = Program::spawn(namespace.command(&client));
    talks(&mut client);
    proved(
        our_client_speaks_tls_with_ncat,
        &[("ncat", "server", "TLS 1.3, with its certificate verified")],
    );
}

#[test]
fn python_speaks_tls_in_both_directions() {
    let certificates = Certificates::new("python");
    let mut server = certificates.server();
    let program = certificates.python(
        "
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(cert, key)
peer = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
peer.connect(('127.0.0.1', int(sys.argv[1])))
peer = context.wrap_socket(peer, server_hostname='localhost')
peer.sendall(b'x' * 100000)
size = 0
while size < 100000 and (data := peer.recv(100000)):
    size += len(data)
print(peer.version(), size)
peer.unwrap()
",
    );
    let mut python = spawn("python3", &["-c", &program, server.port()]);
    python.exits_with(0);
    assert_eq!(python.stdout.text(), "TLSv1.3 100000");
    let line = server.program.stdout.next();
    assert!(line.ends_with(": 100000 bytes returned"), "{line}");

    let program = certificates.python(
        "
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
context.verify_mode = ssl.CERT_REQUIRED
context.load_cert_chain(cert, key)
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
listener.bind(('127.0.0.1', 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
peer = context.wrap_socket(listener.accept()[0], server_side=True)
while data := peer.recv(1000):
    peer.sendall(data)
print(peer.getpeercert()['subject'][0][0][1])
",
    );
    let mut python = spawn("python3", &["-c", &program]);
    let addr = format!("127.0.0.1:{}", python.stdout.next());
    let mut client = Program::spawn(certificates.client("client", "ca", &addr));
    talks(&mut client);
    assert_eq!(python.stdout.next(), "client");
    python.exits_with(0);
    proved(
        python_speaks_tls_in_both_directions,
        &[
            (
                "python",
                "client",
                "100,000 bytes over TLS 1.3 with certificates of both ends",
            ),
            ("python", "server", "TLS 1.3 with certificates of both ends"),
        ],
    );
}
