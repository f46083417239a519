pub fn process_token() -> u64 {
    u64::from(std::process::id())
}
