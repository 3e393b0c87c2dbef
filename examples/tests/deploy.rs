//! The manifests in `deploy/` against the published schema of Kubernetes, and against each other.
//!
//! The schema is that of the oldest Kubernetes that is maintained, as types; a field that it does
//! not know would be dropped in silence, so what was read is written again and must be the same.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

use std::{fs, path::Path};

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{PodSpec, Service},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The objects in one of the files.
fn objects(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(file);
    let text = fs::read_to_string(&path).unwrap();
    serde_saphyr::from_multiple(&text).unwrap()
}

/// Reads an object by the schema.
fn checked<T: DeserializeOwned + Serialize>(object: &Value) -> T {
    let typed: T = serde_json::from_value(object.clone()).unwrap();
    let again = serde_json::to_value(&typed).unwrap();
    assert_eq!(&again, object, "the schema does not know all of it");
    typed
}

fn deployment() -> Deployment {
    checked(&objects("server.yaml")[0])
}

fn pod() -> PodSpec {
    deployment().spec.unwrap().template.spec.unwrap()
}

#[test]
fn every_manifest_is_of_the_schema() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name == "Dockerfile" {
            continue;
        }
        for object in objects(&name) {
            match object["kind"].as_str().unwrap() {
                "Deployment" => drop(checked::<Deployment>(&object)),
                "NetworkPolicy" => drop(checked::<NetworkPolicy>(&object)),
                "PodDisruptionBudget" => drop(checked::<PodDisruptionBudget>(&object)),
                "Service" => drop(checked::<Service>(&object)),
                other => panic!("{name} has a {other}, which is not checked"),
            }
        }
    }
}

#[test]
#[should_panic(expected = "the schema does not know all of it")]
fn field_that_is_misspelt_is_found() {
    let mut object = objects("service.yaml").remove(0);
    object["spec"]["clusterIp"] = "None".into();
    checked::<Service>(&object);
}

#[test]
fn services_reach_the_servers_over_sctp() {
    let pod = pod();
    let port = &pod.containers[0].ports.as_ref().unwrap()[0];
    assert_eq!(port.protocol.as_deref(), Some("SCTP"));
    let labels = deployment().spec.unwrap().template.metadata.unwrap().labels;
    let services = objects("service.yaml");
    assert_eq!(services.len(), 2);
    for service in services {
        let spec = checked::<Service>(&service).spec.unwrap();
        assert_eq!(spec.selector, labels);
        let service_port = &spec.ports.unwrap()[0];
        assert_eq!(service_port.protocol.as_deref(), Some("SCTP"));
        assert_eq!(service_port.port, port.container_port);
    }
}

/// The image has no shell and nothing else either.
#[test]
fn programs_of_the_manifest_are_in_the_image() {
    let dockerfile = include_str!("../deploy/Dockerfile");
    assert!(dockerfile.contains("\nFROM scratch\n"));
    let copy = dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("COPY "))
        .unwrap();
    let probe = pod().containers[0].readiness_probe.clone().unwrap();
    let command = probe.exec.unwrap().command.unwrap();
    let entry = dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("ENTRYPOINT "))
        .unwrap();
    assert_eq!(
        (command[0].as_str(), entry),
        ("/sctp", r#"["/echo-server"]"#)
    );
    let files: Vec<&str> = copy.split(' ').collect();
    assert_eq!(files, ["${folder}/echo-server", "${folder}/sctp", "/"]);
    let user = pod().containers[0].security_context.clone().unwrap();
    let user = format!("\nUSER {}\n", user.run_as_user.unwrap());
    assert!(dockerfile.contains(&user), "no {user:?}");
}

#[test]
fn grace_period_covers_the_pause_and_the_drain() {
    let pod = pod();
    let lifecycle = pod.containers[0].lifecycle.as_ref().unwrap();
    let pause = lifecycle
        .pre_stop
        .as_ref()
        .unwrap()
        .sleep
        .as_ref()
        .unwrap()
        .seconds;
    let drain = i64::try_from(sctp_service::Config::default().drain_timeout.as_secs()).unwrap();
    // The rule of the guide on graceful shutdown.
    assert!(pause + drain + 1 < pod.termination_grace_period_seconds.unwrap());
}
