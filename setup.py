"""What setup.cfg cannot say: on the page of a package index README's links into this repository lead nowhere, so there
its words stand without them, and without the pictures."""
import re
from pathlib import Path

from setuptools import setup


def without_links(text):
    text = re.sub(r"^!\[.*\]\((?!https?:).*\)\n+", "", text, flags=re.MULTILINE)
    return re.sub(r"\[([^\]\n]*)\]\((?!https?:)[^)\s]*\)", r"\1", text)


setup(long_description=without_links(Path(__file__).with_name("README.md").read_text(encoding="utf-8")))
