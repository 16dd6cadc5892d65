//! Replay of the fuzz targets' corpora.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::rules::TARGETS;

fn directory(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(path)
}

fn names_in(path: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(directory(path)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn replay(target: &str) {
    let (_, rule) = TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let corpus = format!("corpus/{target}");
    let files = names_in(&corpus);
    assert!(!files.is_empty(), "fuzz/{corpus} is empty");
    for file in files {
        println!("fuzz/{corpus}/{file}"); // printed if the rule fails
        rule(&fs::read(directory(&corpus).join(file)).unwrap());
    }
}

#[test]
fn request_heads_keep_the_rules() {
    replay("request_head");
}

#[test]
fn response_heads_keep_the_rules() {
    replay("response_head");
}

#[test]
fn chunked_bodies_keep_the_rules() {
    replay("chunked");
}

#[test]
fn targets_keep_the_rules() {
    replay("target");
}

#[test]
fn ranges_keep_the_rules() {
    replay("range");
}

#[test]
fn mapped_fields_keep_the_rules() {
    replay("mapping");
}

#[test]
fn client_streams_keep_the_rules() {
    replay("server_codec");
}

#[test]
fn origin_streams_keep_the_rules() {
    replay("client_codec");
}

#[test]
fn cache_fields_keep_the_rules() {
    ["cache_control", "date", "vary", "structured_field"].into_iter().for_each(replay);
}

#[test]
fn credentials_and_users_keep_the_rules() {
    replay("authorization");
}

#[test]
fn destination_rules_keep_the_rules() {
    replay("egress");
}

#[test]
fn host_spellings_keep_the_rules() {
    replay("spelling");
}

#[test]
fn dns_messages_keep_the_rules() {
    replay("dns_message");
}

#[test]
fn proxy_headers_keep_the_rules() {
    replay("proxy_header");
}

#[test]
fn protected_paths_keep_the_rules() {
    replay("protected_path");
}

#[test]
fn parts_and_fetches_in_flight_keep_the_rules() {
    ["parts", "busy_table"].into_iter().for_each(replay);
}

#[test]
fn codings_routes_and_names_of_files_keep_the_rules() {
    ["encoder", "router", "file_path"].into_iter().for_each(replay);
}

#[test]
fn each_fuzz_target_has_a_program_and_a_corpus() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert!(names_in("corpus").is_superset(&targets));
    let programs: BTreeSet<String> = targets.iter().map(|name| format!("{name}.rs")).collect();
    assert!(names_in("fuzz_targets").is_superset(&programs));
}

#[test]
fn reused_connections_keep_the_rules() {
    replay("reused_connection");
}

#[test]
fn certificates_and_their_authorities_keep_the_rules() {
    ["x509", "acme_messages"].into_iter().for_each(replay);
}

#[test]
fn tls_streams_keep_the_rules() {
    ["tls_server", "tls_client", "tls_pair"].into_iter().for_each(replay);
}

#[test]
fn databases_of_places_keep_the_rules() {
    replay("geo_database");
}

#[test]
fn texts_of_limits_and_bans_keep_the_rules() {
    replay("ban_rule");
}
