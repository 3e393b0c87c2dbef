//! TLS 1.3 with certificates of both ends, over one stream of an association (RFC 3436).
//!
//! ```sh
//! cargo run --bin tls -- serve --listen 127.0.0.1:9878 --cert server.pem --key server.key --ca ca.pem
//! cargo run --bin tls -- connect 127.0.0.1:9878 --name localhost --cert client.pem --key client.key --ca ca.pem
//! ```
//!
//! The server returns each line, and the client sends those of its standard input. The messages of
//! the association are pieces of TLS records: their boundaries mean nothing, and all are on stream 0.
//! The association itself is not protected: whoever is on the path can close it.
use std::{error::Error, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use clap::{Args, Parser, Subcommand};
use sctp_tokio::{Association, ByteStream, SctpListener};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy, split, stdin},
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::ring::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
        server::WebPkiClientVerifier,
        version::TLS13,
    },
};

/// Time that a peer has for the TLS handshake, and for taking the end of the connection.
const PATIENCE: Duration = Duration::from_secs(10);

type Failure = Box<dyn Error + Send + Sync>;

/// TLS 1.3 over SCTP, with certificates of both ends.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Return each line of a client.
    Serve {
        /// Address to listen on.
        #[arg(long, value_name = "ADDR")]
        listen: SocketAddr,
        #[command(flatten)]
        identity: Identity,
    },
    /// Send the lines of standard input, and print those that return.
    Connect {
        /// Address of the server.
        server: SocketAddr,
        /// Name in the server's certificate.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        identity: Identity,
    },
}

/// Files in PEM format.
#[derive(Debug, Args)]
struct Identity {
    /// Certificate of this end, and those up to the authority.
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// Private key of this end.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Authority of the peer's certificate.
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
}

type Credentials = (
    Vec<CertificateDer<'static>>,
    PrivateKeyDer<'static>,
    Arc<RootCertStore>,
);

impl Identity {
    fn read(&self) -> Result<Credentials, Failure> {
        let name = |path: &PathBuf, error| format!("cannot read {}: {error}", path.display());
        let certs = |path: &PathBuf| -> Result<Vec<_>, String> {
            let certs = CertificateDer::pem_file_iter(path).map_err(|error| name(path, error))?;
            certs
                .collect::<Result<_, _>>()
                .map_err(|error| name(path, error))
        };
        let mut roots = RootCertStore::empty();
        for authority in certs(&self.ca)? {
            roots.add(authority)?;
        }
        let key =
            PrivateKeyDer::from_pem_file(&self.key).map_err(|error| name(&self.key, error))?;
        Ok((certs(&self.cert)?, key, Arc::new(roots)))
    }

    fn acceptor(&self) -> Result<TlsAcceptor, Failure> {
        let (certs, key, roots) = self.read()?;
        let provider = Arc::new(default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build()?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certs, key)?;
        Ok(Arc::new(config).into())
    }

    fn connector(&self) -> Result<TlsConnector, Failure> {
        let (certs, key, roots) = self.read()?;
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(certs, key)?;
        Ok(Arc::new(config).into())
    }
}

fn byte_stream(association: Association) -> std::io::Result<ByteStream> {
    ByteStream::new(association, 0)
}

async fn serve(listen: SocketAddr, identity: &Identity) -> Result<(), Failure> {
    let acceptor = identity.acceptor()?;
    let mut listener = SctpListener::bind(listen).await?;
    println!("listening on {}", listener.local_addrs()?[0]);
    loop {
        let association = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let peer = association.initial_peer_addrs().first().copied();
            let peer = peer.map_or_else(String::new, |peer| peer.to_string());
            match echo(association, &acceptor).await {
                Ok(bytes) => println!("{peer}: {bytes} bytes returned"),
                Err(error) => println!("{peer}: {error}"),
            }
        });
    }
}

/// Returns what a client sends until it closes TLS. Without that, an attacker could have cut it off.
async fn echo(association: Association, acceptor: &TlsAcceptor) -> Result<u64, Failure> {
    let stream = timeout(PATIENCE, acceptor.accept(byte_stream(association)?)).await??;
    let (mut reader, mut writer) = split(stream);
    let bytes = copy(&mut reader, &mut writer).await?;
    // The peer may have shut the association down behind its close_notify: then nothing can be sent.
    let _ = timeout(PATIENCE, writer.shutdown()).await;
    Ok(bytes)
}

async fn connect(server: SocketAddr, name: String, identity: &Identity) -> Result<(), Failure> {
    let connector = identity.connector()?;
    let association = Association::connect(server).await?;
    let name = ServerName::try_from(name)?;
    let handshake = connector.connect(name, byte_stream(association)?);
    let mut stream = BufReader::new(timeout(PATIENCE, handshake).await??);
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        stream.write_all(format!("{line}\n").as_bytes()).await?;
        // SCTP has no half close: the answer is awaited before the end.
        let mut answer = String::new();
        if stream.read_line(&mut answer).await? == 0 {
            return Err("closed by the server".into());
        }
        print!("{answer}");
    }
    timeout(PATIENCE, stream.shutdown()).await??;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    match Arguments::parse().command {
        Command::Serve { listen, identity } => serve(listen, &identity).await,
        Command::Connect {
            server,
            name,
            identity,
        } => connect(server, name, &identity).await,
    }
}
