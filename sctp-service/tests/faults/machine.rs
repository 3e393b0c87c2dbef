//! Buffers that are too small, and processes that stand still.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use sctp_service::Config;
use sctp_tokio::{Association, Message, SocketBuilder};

use super::*;
use crate::{
    server::{Server, Style, echo},
    support::probe_client::ProbeClient,
};

both_styles! {
    async fn buffers_at_their_minimum(style: Style) {
        let tiny = SocketBuilder::new().with_send_buffer_size(1).with_recv_buffer_size(1);
        let mut server = Server::start_with(style, Config::default(), tiny.clone(), echo);
        let peer = must(tiny.connect(&[server.addr])).await.unwrap();
        let (sender, mut receiver) = peer.split();
        let asking = tokio::spawn(async move {
            for number in 0..12u8 {
                must(sender.send(Message::new(vec![number; 300]))).await.unwrap();
            }
            sender
        });
        for number in 0..12u8 {
            assert_eq!(must(receiver.recv()).await.unwrap().unwrap().payload, vec![number; 300]);
        }
        drop((must(asking).await.unwrap(), receiver));
        server.closed().await;
        server.stop();
        server.stopped().await;
    }

    async fn stopped_client_continues(style: Style) {
        let mut server = Server::start(style, echo);
        let mut good = ProbeClient::connect(server.addr).await;
        let mut client = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "machine::two_thousand_calls_are_answered", "--nocapture"])
            .env("SCTP_TEST_SERVER", server.addr.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, mut said) = tokio::sync::mpsc::unbounded_channel();
        let out = BufReader::new(client.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines() {
                let _ = lines.send(line.unwrap());
            }
        });
        while !must(said.recv()).await.unwrap().ends_with("half-way") {}
        let pid = Pid::from_child(&client);
        kill_process(pid, Signal::STOP).unwrap();
        // The world goes on without it: its replies pile up, its kernel answers for it.
        good.answered(300).await;
        kill_process(pid, Signal::CONT).unwrap();
        while !must(said.recv()).await.unwrap().ends_with("all answered") {}
        let waiting = tokio::task::spawn_blocking(move || client.wait().unwrap());
        assert!(must(waiting).await.unwrap().success());
        good.noticed_nothing().await;
        server.stop();
        server.stopped().await;
    }
}

/// Also the client that is stopped, in a process of its own that is given a server.
#[test]
fn two_thousand_calls_are_answered() {
    alone(async {
        let (own, server) = match std::env::var("SCTP_TEST_SERVER") {
            Ok(server) => (None, server.parse().unwrap()),
            Err(_) => {
                let own = Server::start(Style::PeelOff, echo);
                let server: SocketAddr = own.addr;
                (Some(own), server)
            }
        };
        let (sender, mut receiver) = must(Association::connect(server)).await.unwrap().split();
        let asking = tokio::spawn(async move {
            for number in 0..2000u32 {
                must(sender.send(number.to_be_bytes().to_vec()))
                    .await
                    .unwrap();
                if number == 1000 {
                    println!("\nhalf-way");
                }
            }
            sender
        });
        for number in 0..2000u32 {
            let answer = must(receiver.recv()).await.unwrap().unwrap();
            assert_eq!(answer.payload, number.to_be_bytes()[..]);
        }
        drop(must(asking).await.unwrap());
        println!("\nall answered");
        if let Some(mut own) = own {
            own.stop();
            own.stopped().await;
        }
    });
}
