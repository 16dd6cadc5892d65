//! All `unsafe` code of the crate: system calls for which there are no safe wrappers.
#![allow(unsafe_code)]

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use socket2::SockRef;

use super::net::transport::FileRange;

/// Receives at most `most` bytes into the spare capacity of `into`, without clearing that memory
/// first.
pub(super) fn recv(socket: &impl AsFd, into: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    let room = into.spare_capacity_mut();
    let most = most.min(room.len());
    let received = SockRef::from(socket).recv(&mut room[..most])?;
    let length = into.len() + received;
    // SAFETY: `recv` has initialised the first `received` bytes of the spare capacity, which begins
    // at `into.len()`, and cannot have received more than that capacity.
    unsafe { into.set_len(length) };
    Ok(received)
}

/// Receives a datagram into the spare capacity of `into`, and returns the sender's address.
pub(super) fn recv_from(socket: &impl AsFd, into: &mut Vec<u8>) -> io::Result<SocketAddr> {
    let (received, source) = SockRef::from(socket).recv_from(into.spare_capacity_mut())?;
    let length = into.len() + received;
    // SAFETY: `recv_from` has initialised the first `received` bytes of the spare capacity, which
    // begins at `into.len()`, and cannot have received more than that capacity.
    unsafe { into.set_len(length) };
    source.as_socket().ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Sends from all slices in one call. Returns `EPIPE` if the peer is gone, where `writev` would
/// raise SIGPIPE in the host program.
pub(super) fn send(socket: &impl AsFd, from: &[IoSlice<'_>]) -> io::Result<usize> {
    let socket = SockRef::from(socket);
    match from {
        // `send` costs the kernel less than `sendmsg`.
        [only] => socket.send_with_flags(only, libc::MSG_NOSIGNAL),
        _ => socket.send_vectored_with_flags(from, libc::MSG_NOSIGNAL),
    }
}

/// Sends bytes that the next call follows: the kernel may keep them for a packet with what follows.
pub(super) fn send_more(socket: &impl AsFd, from: &[u8]) -> io::Result<usize> {
    SockRef::from(socket).send_with_flags(from, libc::MSG_NOSIGNAL | libc::MSG_MORE)
}

/// Sends bytes of a file without copying them through the program.
pub(super) fn send_file(socket: &impl AsFd, file: FileRange<'_>) -> io::Result<usize> {
    let FileRange { file, at, most } = file;
    let mut offset = libc::off_t::try_from(at).map_err(io::Error::other)?;
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: both descriptors are open, and the pointer is to an offset that lives through the call.
    let sent = unsafe { libc::sendfile(socket, file.as_raw_fd(), &raw mut offset, most) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Returns true if the bytes of a file from offset `at` are in memory: reading them waits for no disk
/// (`cachestat(2)`). False if the system does not say so, as for files that the process may not write.
#[must_use]
pub fn is_in_memory(file: &impl AsFd, at: u64, length: u64) -> bool {
    const CACHESTAT: libc::c_long = 451;
    const PAGE: u64 = 4096;
    let range = [at, length];
    let mut found = [0_u64; 5];
    let descriptor = file.as_fd().as_raw_fd();
    // SAFETY: the pointers are to a range and a result of the sizes that the call defines (two and five
    // numbers of 64 bits), which live through the call.
    let done =
        unsafe { libc::syscall(CACHESTAT, descriptor, range.as_ptr(), found.as_mut_ptr(), 0_u32) };
    let pages = (at + length).div_ceil(PAGE) - at / PAGE;
    done == 0 && found[0] >= pages
}

/// Takes the descriptor `number`, which the process was started with, and has it closed in programs that
/// this process starts. To be called before the process opens descriptors of its own, once for each number:
/// the descriptor has no other owner then.
///
/// # Errors
/// The errors of `fcntl(2)`: `EBADF` if the process was not started with such a descriptor.
#[cfg(feature = "cli")]
pub(crate) fn take_inherited(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: this call has no pointers; a number that is no descriptor fails.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open, and the caller has no other owner of it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Signals that this value has blocked in the calling thread. Dropping it unblocks them, and no
/// others, so that several reactors of one thread may be dropped in any order.
pub(super) struct SignalMask(libc::sigset_t);

impl SignalMask {
    /// Blocks `signals` in the calling thread and in threads that it starts from now on. Returns a
    /// descriptor to read them from.
    pub(super) fn block(signals: &[i32]) -> io::Result<(Self, OwnedFd)> {
        let set = signal_set(signals)?;
        let mut before = MaybeUninit::uninit();
        // SAFETY: both pointers are to signal sets that live through the call.
        let error =
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, before.as_mut_ptr()) };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        // SAFETY: pthread_sigmask succeeded, so it has written the former mask.
        let before = unsafe { before.assume_init() };
        let mut fresh = signals.to_vec();
        // SAFETY: `before` is an initialised signal set.
        fresh.retain(|&signal| unsafe { libc::sigismember(&raw const before, signal) } == 0);
        let mask = Self(signal_set(&fresh)?);
        // SAFETY: `set` is an initialised signal set; -1 requests a new descriptor.
        let fd =
            unsafe { libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: signalfd returned a new descriptor, which has no other owner.
        Ok((mask, unsafe { OwnedFd::from_raw_fd(fd) }))
    }
}

impl Drop for SignalMask {
    fn drop(&mut self) {
        // SAFETY: the set is initialised; a null pointer discards the former mask.
        unsafe {
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const self.0, std::ptr::null_mut());
        }
    }
}

fn signal_set(signals: &[i32]) -> io::Result<libc::sigset_t> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the pointer is to memory for one signal set, which sigemptyset initialises.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: sigemptyset has initialised it and does not fail.
    let mut set = unsafe { set.assume_init() };
    for &signal in signals {
        // SAFETY: `set` is initialised; a number that is not a signal's fails with EINVAL.
        if unsafe { libc::sigaddset(&raw mut set, signal) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(set)
}

/// Raises the soft limit of open descriptors (`RLIMIT_NOFILE`) to the hard limit, and returns the
/// limit that holds then. If it cannot be raised, returns the present soft limit.
///
/// # Errors
/// The errors of `getrlimit(2)`.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to an rlimit that lives through the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let wanted = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
    // SAFETY: the pointer is to an initialised rlimit that lives through the call.
    let raised = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const wanted) } == 0;
    Ok(if raised { wanted.rlim_cur } else { limit.rlim_cur })
}

/// Returns the addresses of all interfaces of this machine, sorted and without duplicates.
///
/// # Errors
/// The errors of `getifaddrs(3)`.
pub fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    let list = Interfaces::read()?;
    let mut addresses: Vec<_> = list.iter().filter_map(address_of).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses)
}

/// A list allocated by `getifaddrs(3)`, freed on drop.
struct Interfaces(*mut libc::ifaddrs);

impl Interfaces {
    fn read() -> io::Result<Self> {
        let mut first = std::ptr::null_mut();
        // SAFETY: the pointer is to a variable for the list's first entry, which lives through the
        // call.
        match unsafe { libc::getifaddrs(&raw mut first) } {
            0 => Ok(Self(first)),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &libc::ifaddrs> {
        // SAFETY: the entry is null or of the list, which lives as long as `self` and is not
        // changed.
        let entry = |at: *mut libc::ifaddrs| unsafe { at.as_ref() };
        std::iter::successors(entry(self.0), move |before| entry(before.ifa_next))
    }
}

impl Drop for Interfaces {
    fn drop(&mut self) {
        // SAFETY: getifaddrs allocated the list, and no reference to it is left.
        unsafe { libc::freeifaddrs(self.0) };
    }
}

/// Returns the IP address of an entry; `None` if its address is of another family or missing.
fn address_of(entry: &libc::ifaddrs) -> Option<IpAddr> {
    // SAFETY: the address is null, or begins with the fields of any address.
    let family = unsafe { entry.ifa_addr.as_ref() }?.sa_family;
    match i32::from(family) {
        libc::AF_INET => {
            // SAFETY: an address of this family is a sockaddr_in.
            let v4 = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(Ipv4Addr::from_bits(u32::from_be(v4.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: an address of this family is a sockaddr_in6.
            let v6 = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}
