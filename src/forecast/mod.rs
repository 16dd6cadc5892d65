//! Forecast of the time at which a disk is full, from regular samples of its use.
//!
//! The growth is the median of the slopes of all pairs of samples (Theil–Sen), over the last hour and the
//! last day. A single file that is written or deleted hardly moves a median. All state is bounded.

mod alarm;
mod disk;
mod level;
mod outlook;
mod series;
mod slope;
#[cfg(test)]
mod tests;
mod trend;

pub use alarm::Alarm;
pub use disk::{DiskForecast, DiskUse, Resource};
pub use level::Level;
pub use outlook::Outlook;
pub use trend::Forecast;
