//! Calls at fixed times.

use super::*;

/// An open loop sends what is due, no more and no less, and at the end of its time.
#[test]
fn open_loop_sends_as_many_as_intended() {
    let server = Server::echo();
    let args = [
        "--rate",
        "400",
        "-a",
        "4",
        "--duration",
        "1s",
        "--warm-up",
        "200ms",
    ];
    let result = result(server.addr(), &args, 0);
    let calls = &result["calls"];
    let sent = calls["sent"].as_u64().unwrap();
    // One more or less for each association, whose first call falls to either side of the
    // beginning.
    assert!((396..=404).contains(&sent), "{result:#}");
    assert_eq!(calls["answered"], sent);
    assert_eq!(calls["missed"], 0);
    assert_eq!(result["seconds"], 1.0);
    let [latency, response] =
        ["latency", "response"].map(|name| result[name]["max"].as_u64().unwrap());
    assert!(latency >= response);
}

/// A server that stalls is charged for the calls that were due meanwhile: the delay of each
/// counts from when it was due, and not only that of the one that happened to be open.
#[test]
fn open_loop_charges_a_stall_to_every_call_that_was_due() {
    // The first association is not answered until another one has made 100 calls.
    let first = AtomicBool::new(true);
    let calls = watch::Sender::new(0);
    let server = serve(move |mut association| {
        let stalls = first.swap(false, Ordering::Relaxed);
        let calls = calls.clone();
        async move {
            if stalls {
                calls
                    .subscribe()
                    .wait_for(|calls| *calls == 100)
                    .await
                    .unwrap();
            }
            while echo(&mut association, 1).await {
                calls.send_modify(|calls| *calls += usize::from(!stalls));
            }
        }
    });
    // 100 calls of one association take half a second.
    let args = [
        "--rate",
        "400",
        "-a",
        "2",
        "--duration",
        "1s",
        "--in-flight",
        "1",
    ];
    let result = result(&server, &args, 0);
    assert_eq!(result["calls"]["sent"], 400, "{result:#}");
    let percentile = |name: &str, percent: f64| {
        let list = result[name]["percentiles"].as_array().unwrap();
        let found = list.iter().find(|one| one["percent"] == percent).unwrap();
        Duration::from_nanos(found["value"].as_u64().unwrap())
    };
    // A quarter of all calls were due during the stall, and a tenth of all in its first 200 ms.
    assert!(
        percentile("latency", 90.0) > Duration::from_millis(250),
        "{result:#}"
    );
    assert!(
        percentile("response", 90.0) < Duration::from_millis(250),
        "{result:#}"
    );
}
