//! Rules that hold for any input of the parsers. Each fuzz target is one of these functions. The
//! tests of the proxy call them on the corpora, too, with a stable compiler.

pub mod acme_messages;
pub mod authorization;
pub mod ban_rule;
pub mod busy_table;
pub mod chunked;
pub mod dns;
pub mod egress;
pub mod encoder;
pub mod fields;
pub mod file_path;
pub mod geo_database;
pub mod heads;
pub mod mapping;
pub mod parts;
pub mod protected_path;
pub mod proxy_header;
pub mod range;
pub mod reference;
pub mod reused;
pub mod router;
pub mod spelling;
pub mod stream;
pub mod target;
pub mod tls;
pub mod x509;

/// A function that panics unless its rules hold for the input.
pub type Rule = fn(&[u8]);

/// Targets, with the names of their programs and corpora.
pub const TARGETS: [(&str, Rule); 31] = [
    ("request_head", heads::request),
    ("response_head", heads::response),
    ("chunked", chunked::rules),
    ("target", target::rules),
    ("range", range::rules),
    ("mapping", mapping::rules),
    ("server_codec", stream::server_rules),
    ("client_codec", stream::client_rules),
    ("cache_control", fields::cache_control),
    ("date", fields::dates),
    ("vary", fields::vary),
    ("structured_field", fields::structured_field),
    ("authorization", authorization::rules),
    ("egress", egress::rules),
    ("spelling", spelling::rules),
    ("dns_message", dns::rules),
    ("protected_path", protected_path::rules),
    ("proxy_header", proxy_header::rules),
    ("parts", parts::rules),
    ("busy_table", busy_table::rules),
    ("reused_connection", reused::rules),
    ("x509", x509::rules),
    ("acme_messages", acme_messages::rules),
    ("tls_server", tls::server),
    ("tls_client", tls::client),
    ("tls_pair", tls::pair),
    ("ban_rule", ban_rule::rules),
    ("encoder", encoder::rules),
    ("router", router::rules),
    ("file_path", file_path::rules),
    ("geo_database", geo_database::rules),
];
