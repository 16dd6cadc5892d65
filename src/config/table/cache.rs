//! Options for the cache: its memory, keys and rules.

use crate::cache::{FreshnessRule, Parameters};
use crate::units::Unit;

use super::spec::{OptionSpec, flag, many, one};
use super::value::{either, on_or_off, one_of, switch, unit};

pub(super) const CACHE: &[OptionSpec] = &[
    one(
        "cache-memory",
        "SIZE|off",
        "Memory for the cache, including its bookkeeping; off stores nothing [default: 256MiB]",
        |o, text| unit(text).map(|size| o.cache_memory = size),
        |o| vec![o.cache_memory.write()],
    ),
    one(
        "cache-object-max",
        "SIZE",
        "Size of the largest object to store [default: an eighth of the cache]",
        |o, text| unit(text).map(|size| o.cache_object_max = Some(size)),
        |o| o.cache_object_max.iter().map(Unit::write).collect(),
    ),
    one(
        "eviction",
        "lru|gdsf",
        "Order of eviction when memory is short: lru, least recently used first; gdsf, by frequency \
         of use and size [default: gdsf]",
        |o, text| text.parse().map(|eviction| o.eviction = eviction),
        |o| vec![o.eviction.to_string()],
    ),
    many(one(
        "freshness",
        "RULE",
        "Rule for how long responses are fresh: [HOST][/PATH] [status=CODES] [min=TIME] [max=TIME] \
         [default=TIME]; the first rule that matches applies, and none permits what the origin \
         forbids",
        |o, text| text.parse().map(|rule| o.freshness_rules.push(rule)),
        |o| o.freshness_rules.iter().map(FreshnessRule::to_string).collect(),
    )),
    one(
        "key-drop-query",
        "NAMES",
        "Query parameters to ignore in the cache key, such as utm_*,fbclid; 'tracking' stands for \
         those of well-known trackers [default: none]",
        |o, text| text.parse().map(|names| o.key_rules.drop = Some(names)),
        |o| o.key_rules.drop.iter().map(Parameters::to_string).collect(),
    ),
    one(
        "key-keep-query",
        "NAMES",
        "Query parameters to keep in the cache key; all others are ignored [default: all]",
        |o, text| text.parse().map(|names| o.key_rules.keep = Some(names)),
        |o| o.key_rules.keep.iter().map(Parameters::to_string).collect(),
    ),
    flag(
        "key-sort-query",
        "Ignore the order of query parameters in the cache key [default: off]",
        |o, text| switch(text).map(|on| o.key_rules.sort = on),
        |o| on_or_off(o.key_rules.sort),
    ),
    one(
        "vary-language",
        "equal|preferred",
        "Requests that match a stored response with Vary: Accept-Language: equal, those whose \
         lists mean the same; preferred, also those that prefer its Content-Language to all \
         others [default: equal]",
        |o, text| either(text, ["equal", "preferred"]).map(|by| o.request_rules.by_language = by),
        |o| one_of(["equal", "preferred"], o.request_rules.by_language),
    ),
    one(
        "vary-encoding",
        "equal|folded",
        "Requests that match a stored response with Vary: Accept-Encoding: equal, those whose \
         lists mean the same; folded, also those that accept fewer codings, its own among them \
         [default: folded]",
        |o, text| either(text, ["equal", "folded"]).map(|by| o.request_rules.by_coding = by),
        |o| one_of(["equal", "folded"], o.request_rules.by_coding),
    ),
    flag(
        "cache-set-cookie",
        "Store responses with Set-Cookie if they have max-age or Expires, not only if they have \
         public, s-maxage or a targeted field [default: off]",
        |o, text| switch(text).map(|on| o.store_cookies = on),
        |o| on_or_off(o.store_cookies),
    ),
    flag(
        "ignore-client-no-cache",
        "Serve fresh responses also to requests with no-cache, max-age or min-fresh (only with \
         --to) [default: off]",
        |o, text| switch(text).map(|on| o.request_rules.ignore_no_cache = on),
        |o| on_or_off(o.request_rules.ignore_no_cache),
    ),
    flag(
        "targeted-cache-control",
        "Obey CDN-Cache-Control and Tidegate-Cache-Control [default: on with --to, else off]",
        |o, text| switch(text).map(|on| o.targeted = Some(on)),
        |o| o.targeted.into_iter().flat_map(on_or_off).collect(),
    ),
    flag(
        "cache-status-key",
        "Show the cache key of each response in Cache-Status [default: off]",
        |o, text| switch(text).map(|on| o.status_key = on),
        |o| on_or_off(o.status_key),
    ),
];
