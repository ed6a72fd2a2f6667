# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "arxiv==4.0.2",
#   "httpx2==2.16.2",
#   "huggingface_hub==2.4.0",
#   "jsonschema==4.26.0",
#   "lxml==6.1.3",
#   "pypdf==7.1.0",
# ]
# ///
"""Find, read and follow papers on Hugging Face, arXiv, Semantic Scholar and OpenAlex."""

from mlresearch.cli import papers

if __name__ == "__main__":
    raise SystemExit(papers.run())
