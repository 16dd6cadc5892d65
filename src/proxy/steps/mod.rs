//! The steps of a request on the client's side, one function each.

mod auth;
mod basis;
mod connect;
mod deliver;
mod finish;
mod judge;
mod lookup;
mod receive;
mod route;
mod transmit;
mod upload;
mod wait;

pub(super) use auth::{auth, wait_at_door_no_longer};
pub(super) use connect::connect;
pub(super) use deliver::deliver;
pub(super) use finish::{close, finish};
pub(super) use judge::judge;
pub(super) use lookup::lookup;
pub(super) use receive::{receive, record_unanswered, refuse};
pub(super) use route::route;
pub(super) use transmit::{flush, transmit};
pub(super) use upload::{give_up_upload, pump};
pub(super) use wait::{wait, wait_no_longer};
