"""What a store held and when it recorded it: versions, the clock of recording, snapshots."""
