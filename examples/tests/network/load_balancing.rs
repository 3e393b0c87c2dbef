//! A director between a client and three servers, with the data planes of Kubernetes' Services:
//! IPVS, and destination NAT by iptables.

use super::{
    client,
    netns::{NetNs, cable},
    run, server,
    support::{Program, Server},
};

/// The virtual address of the service.
const SERVICE: &str = "10.96.0.10:9877";

/// Three servers behind a director, and a client in front of it.
struct Cluster {
    // Dropped first: programs hold namespaces.
    servers: Vec<Server>,
    client: NetNs,
    director: NetNs,
    hosts: Vec<NetNs>,
}

impl Cluster {
    fn new() -> Self {
        let (client, director) = (NetNs::new(), NetNs::new());
        cable(&director, &client, "client", "10.0.0");
        client.ip("route add default via 10.0.0.1");
        run(
            &director,
            "sh",
            &["-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"],
        );
        let mut servers = Vec::new();
        let mut hosts = Vec::new();
        for number in 1..=3 {
            let host = NetNs::new();
            let network = format!("10.1.{number}");
            cable(&director, &host, &format!("s{number}"), &network);
            host.ip(&format!("route add default via {network}.1"));
            servers.push(server(&host, &format!("{network}.2:9877")));
            hosts.push(host);
        }
        Self {
            servers,
            client,
            director,
            hosts,
        }
    }

    /// Balances in turns with IPVS, by masquerading, as kube-proxy does.
    fn with_ipvs(self) -> Self {
        self.director.ip("addr add 10.96.0.10/32 dev lo");
        self.ipvs(&["-A", "--sctp-service", SERVICE, "-s", "rr"]);
        for number in 1..=3 {
            let server = format!("10.1.{number}.2:9877");
            self.ipvs(&["-a", "--sctp-service", SERVICE, "-r", &server, "-m"]);
        }
        self
    }

    /// Balances with rules of iptables like those of kube-proxy, in turns instead of at random.
    fn with_iptables(self) -> Self {
        self.nat("-N SERVICE");
        self.nat("-A PREROUTING -d 10.96.0.10/32 -p sctp -m sctp --dport 9877 -j SERVICE");
        let turns = |every: u32| format!("-m statistic --mode nth --every {every} --packet 0");
        self.nat(&format!(
            "-A SERVICE -p sctp {} -j DNAT --to-destination 10.1.1.2:9877",
            turns(3)
        ));
        self.nat(&format!(
            "-A SERVICE -p sctp {} -j DNAT --to-destination 10.1.2.2:9877",
            turns(2)
        ));
        self.nat("-A SERVICE -p sctp -j DNAT --to-destination 10.1.3.2:9877");
        self
    }

    /// Runs a command of iptables on its NAT table.
    fn nat(&self, command: &str) -> String {
        let args: Vec<_> = ["-w", "-t", "nat"]
            .into_iter()
            .chain(command.split(' '))
            .collect();
        run(&self.director, "iptables-legacy", &args)
    }

    fn ipvs(&self, args: &[&str]) -> String {
        run(&self.director, "ipvsadm", args)
    }

    /// Returns the servers and the numbers of their associations.
    fn active(&self) -> Vec<(String, u32)> {
        let table = self.ipvs(&["-L", "-n"]);
        let rows = table.lines().filter(|line| line.contains("-> 10.1."));
        rows.map(|row| {
            let columns: Vec<_> = row.split_whitespace().collect();
            (columns[1].to_owned(), columns[4].parse().unwrap())
        })
        .collect()
    }

    /// Connects, and returns the server that it was given as well.
    fn connect_first(&self) -> (Program, String) {
        let client = self.connect();
        let active = self.active();
        let server = active.iter().find(|(_, associations)| *associations == 1);
        (client, server.unwrap().0.clone())
    }

    /// Connects to the service, and waits for an echo. The client aborts when its input ends.
    fn connect(&self) -> Program {
        let mut client = client(&self.client, &["--abort", "goodbye", SERVICE]);
        echo(&mut client, "hello");
        client
    }
}

#[track_caller]
fn echo(client: &mut Program, text: &str) {
    client.line(format!("[3]{text}"));
    assert!(client.stdout.find("str:3").ends_with(text));
}

/// Checks that each of three associations in a row gets a server of its own, and that both
/// terminations pass with their reasons, in either direction.
fn balances(cluster: &mut Cluster) {
    let mut clients: Vec<_> = (0..3).map(|_| cluster.connect()).collect();
    for server in &mut cluster.servers {
        server.program.stderr.find("association up");
    }
    clients[0].line("[0]quit");
    let end = clients[0].stderr.find("the association is over");
    assert!(end.contains("shut down by peer"), "{end}");
    clients[1].line("[0]abort so long");
    let end = clients[1].stderr.find("the association is over");
    assert!(end.contains("aborted by peer, reason \"so long\""), "{end}");
    // The third client gives the reason.
    clients[2].end_of_input();
    let ends: Vec<_> = cluster.servers.iter_mut().map(Server::closed).collect();
    assert!(ends.iter().any(|end| end.contains("goodbye")), "{ends:?}");
}

#[test]
fn ipvs_passes_associations_and_both_terminations() {
    balances(&mut Cluster::new().with_ipvs());
}

#[test]
fn iptables_passes_associations_and_both_terminations() {
    balances(&mut Cluster::new().with_iptables());
}

/// A drain by weight: no new association, and those that are up go on.
#[test]
fn ipvs_server_of_weight_zero_keeps_its_associations() {
    let cluster = Cluster::new().with_ipvs();
    let (mut first, server) = cluster.connect_first();
    let edit = [
        "-e",
        "--sctp-service",
        SERVICE,
        "-r",
        &server,
        "-m",
        "-w",
        "0",
    ];
    cluster.ipvs(&edit);
    let _others: Vec<_> = (0..4).map(|_| cluster.connect()).collect();
    echo(&mut first, "still there");
    for (name, associations) in cluster.active() {
        assert_eq!(associations, if name == server { 1 } else { 2 }, "{name}");
    }
}

/// The way of kube-proxy's IPVS mode when a pod leaves a Service: it deletes servers at once. The next
/// packet draws an ABORT without a reason, so neither preStop nor a drain protects a request.
#[test]
fn ipvs_server_that_is_deleted_loses_its_associations() {
    let cluster = Cluster::new().with_ipvs();
    let expire = "echo 1 >/proc/sys/net/ipv4/vs/expire_nodest_conn";
    run(&cluster.director, "sh", &["-c", expire]);
    let (mut first, server) = cluster.connect_first();
    cluster.ipvs(&["-d", "--sctp-service", SERVICE, "-r", &server]);
    first.line("[3]are you there");
    let end = first.stderr.find("the association is over");
    assert!(
        end.contains("aborted by peer") && !end.contains("reason"),
        "{end}"
    );
}

/// The rules choose a server for the first packet, so a server that leaves the Service keeps its
/// associations. Other rules stay: without any that needs it, the kernel stops to translate.
#[test]
fn iptables_association_outlives_its_rule() {
    let cluster = Cluster::new().with_iptables();
    let mut client = cluster.connect();
    let has_association = |host| run(host, "cat", &["/proc/net/sctp/assocs"]).lines().count() == 2;
    let server = cluster.hosts.iter().position(has_association).unwrap();
    cluster.nat(&format!("-D SERVICE {}", server + 1));
    let rules = cluster.nat("-S SERVICE");
    assert!(!rules.contains(cluster.servers[server].addr()), "{rules}");
    echo(&mut client, "still there");
}

/// The server sends heartbeats to each address that the client announces. To the client they come from
/// the server's own address, which it does not know, so it answers with an ABORT.
#[test]
fn ipvs_client_with_two_addresses_is_aborted() {
    let mut cluster = Cluster::new().with_ipvs();
    cluster.client.ip("addr add 10.0.5.2/24 dev client");
    cluster.director.ip("addr add 10.0.5.1/24 dev client");
    let (_client, addr) = cluster.connect_first();
    let mut servers = cluster.servers.iter_mut();
    let server = servers.find(|server| server.addr() == addr).unwrap();
    let end = server.closed();
    assert!(end.contains("aborted by peer"), "{end}");
}
