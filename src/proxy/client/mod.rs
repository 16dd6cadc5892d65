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

use auth::{auth, auth_timed_out};
use connect::connect;
use deliver::deliver;
use finish::{close, finish};
use lookup::lookup;
use receive::{receive, record_unanswered, refuse};
use resolve::resolve;
use route::route;
use transmit::{flush, transmit};
use upload::{give_up_upload, pump};
use wait::{leave_joined_fetch, wait};
