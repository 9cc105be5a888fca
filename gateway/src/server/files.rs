//! Limit of open files: raises it at the start, and derives the number of connections from it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::CONNECTIONS_MAX;

/// Number of open files reserved for databases, mail, Redis, identity providers and the internal listener.
const FILES_RESERVED: usize = 256;
/// Smallest number of connections, even if the system allows only few open files.
const CONNECTIONS_MIN: usize = 16;

/// Raises the limit of open files to the highest value that the system allows, and returns it.
pub fn raise_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    let files = getrlimit(Resource::Nofile).current;
    files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX))
}

/// Returns the largest number of connections for `files` open files, if each connection needs `files_each`.
pub fn connections(files: usize, files_each: usize) -> usize {
    (files.saturating_sub(FILES_RESERVED) / files_each.max(1)).clamp(CONNECTIONS_MIN, CONNECTIONS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_other_files() {
        for (files, each, expected) in
            [(1_024, 1, 768), (1_024, 2, 384), (1_000_000, 1, CONNECTIONS_MAX), (100, 1, CONNECTIONS_MIN)]
        {
            assert_eq!(connections(files, each), expected, "{files} files, {each} each");
        }
    }

    #[test]
    fn the_limit_of_open_files_is_raised_to_its_maximum() {
        let highest = getrlimit(Resource::Nofile).maximum;
        assert!(raise_limit() > 0);
        assert_eq!(getrlimit(Resource::Nofile).current, highest);
    }
}
