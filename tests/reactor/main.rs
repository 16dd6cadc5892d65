//! The reactor through its public interface, on a simulated network and on loopback.
