"""What a run keeps on disk, and where it begins: anew, resumed, or from another run."""
