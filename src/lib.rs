//! tidegate: a caching HTTP proxy, and the single-threaded reactor it runs on.
//!
//! Without default features this crate is [`reactor`] alone, a base for other single-threaded
//! network programs. Feature `proxy` adds the proxy as a library; feature `sim` adds a simulated
//! network, so that either can be tested without sockets and without waiting.

#[cfg(feature = "proxy")]
pub mod access;
#[cfg(feature = "proxy")]
pub mod acme;
#[cfg(feature = "proxy")]
pub mod alloc_size;
#[cfg(feature = "proxy")]
pub mod app;
#[cfg(feature = "proxy")]
pub mod auth;
#[cfg(feature = "proxy")]
pub mod balance;
#[cfg(feature = "proxy")]
pub mod cache;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "proxy")]
pub mod coding;
#[cfg(feature = "cli")]
pub mod config;
pub mod dns;
#[cfg(feature = "cli")]
pub mod doctor;
#[cfg(feature = "proxy")]
pub mod files;
#[cfg(feature = "cli")]
pub mod forecast;
#[cfg(feature = "proxy")]
pub mod geo;
#[cfg(feature = "proxy")]
pub mod html;
#[cfg(feature = "proxy")]
pub mod http;
#[cfg(feature = "proxy")]
pub mod proxy;
#[cfg(feature = "proxy")]
pub mod proxy_protocol;
pub mod reactor;
pub mod shares;
#[cfg(feature = "proxy")]
pub mod shipping;
#[cfg(feature = "proxy")]
mod suggestion;
#[cfg(feature = "cli")]
mod supervise;
#[cfg(feature = "proxy")]
pub mod throttle;
pub mod time;
#[cfg(feature = "proxy")]
pub mod tls;
#[cfg(feature = "proxy")]
pub mod units;
pub mod work;
#[cfg(feature = "proxy")]
pub mod x509;

/// Program of the README, which is compiled and run with the other examples of the documentation.
#[cfg(all(doctest, feature = "proxy"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// Programs of the document about applications.
#[cfg(all(doctest, feature = "proxy"))]
#[doc = include_str!("../docs/applications.md")]
struct Applications;
