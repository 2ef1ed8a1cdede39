"""The two sets that come with numopt; README.md says where each is from and on what terms."""
