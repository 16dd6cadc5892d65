//! The steps of a request on the client's side, one function each.

mod auth;
mod connect;
pub(super) mod connection;
pub(super) mod context;
mod deliver;
mod drive;
mod exchange;
mod fetch_plan;
mod finish;
mod lookup;
mod receive;
mod resolve;
mod respond;
mod route;
pub(super) mod status_fields;
pub(super) mod step;
mod transmit;
mod upgrade;
mod upload;
mod wait;

use auth::{auth, wait_at_door_no_longer};
use connect::connect;
use deliver::deliver;
use finish::{close, finish};
use lookup::lookup;
use receive::{receive, record_unanswered, refuse};
use resolve::judge;
use route::route;
use transmit::{flush, transmit};
use upload::{give_up_upload, pump};
use wait::{wait, wait_no_longer};
